"""The settings: one frozen tree, file < environment < flags."""

from wattribute.settings.keys import FLAGS, Key, keys
from wattribute.settings.load import effective, load
from wattribute.settings.tree import (
    Activity,
    Attribution,
    Estimator,
    Exporter,
    Log,
    Meter,
    Monitor,
    Settings,
    Workload,
)

__all__ = [
    "FLAGS",
    "Activity",
    "Attribution",
    "Estimator",
    "Exporter",
    "Key",
    "Log",
    "Meter",
    "Monitor",
    "Settings",
    "Workload",
    "effective",
    "keys",
    "load",
]
