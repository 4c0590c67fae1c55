"""Serves power models to agents, and takes recordings into quarantine; one HTTP service."""
