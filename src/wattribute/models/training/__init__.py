"""Measured rows -> the model artefact, and what it is worth. Never imported by what runs."""
