"""The benchmark: real processes, a known truth, one table. ``python -m bench`` from the root."""
