"""Snapshot -> /metrics, the node's live page, /healthz and /readyz."""

from wattribute.exporter.access import check_exposure
from wattribute.exporter.scene import NodeLabels
from wattribute.exporter.serve import Exporter

__all__ = ["Exporter", "NodeLabels", "check_exposure"]
