"""Sealed hourly energy, append-only."""
