"""Snapshot -> /metrics, the node's live page, /healthz and /readyz."""

from wattribute.node.exporter.scene import NodeLabels
from wattribute.node.exporter.serve import Exporter

__all__ = ["Exporter", "NodeLabels"]
