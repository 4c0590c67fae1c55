"""Snapshot -> /metrics, the node's live page, /healthz and /readyz."""
