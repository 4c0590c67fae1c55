"""A self-made month of a two-bot cluster: a ledger and the bill that belongs to it.

Everything is drawn from one seed, so that two people see the same figures.
"""
