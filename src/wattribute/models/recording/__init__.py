"""Recordings of power beside load, from which models are trained."""
