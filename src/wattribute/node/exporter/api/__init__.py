"""The newest snapshot as JSON, at /api/v1/snapshot."""
