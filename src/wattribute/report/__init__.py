"""Statements for people and for programs: terminal, JSON, CSV, Parquet.

Every renderer takes a ``wattribute.chargeback.statement.Statement`` and nothing else.
"""
