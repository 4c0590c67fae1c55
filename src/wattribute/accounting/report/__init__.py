"""Statements for people and for programs: terminal, JSON, CSV, Parquet, HTML, PDF.

Every renderer takes a ``wattribute.accounting.chargeback.statement.Statement`` and nothing else.
"""
