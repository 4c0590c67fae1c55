"""The settings: one frozen tree, file < environment < flags."""

from wattribute.settings.keys import FLAGS, Key, keys
from wattribute.settings.load import effective, load
from wattribute.settings.tree import (
    Activity,
    Attribution,
    Bills,
    Carbon,
    Estimator,
    Exporter,
    Ledger,
    Log,
    Meter,
    Monitor,
    Ownership,
    OwnershipRule,
    Scaler,
    Settings,
    SharedCost,
    Workload,
)

__all__ = [
    "FLAGS",
    "Activity",
    "Attribution",
    "Bills",
    "Carbon",
    "Estimator",
    "Exporter",
    "Key",
    "Ledger",
    "Log",
    "Meter",
    "Monitor",
    "Ownership",
    "OwnershipRule",
    "Scaler",
    "Settings",
    "SharedCost",
    "Workload",
    "effective",
    "keys",
    "load",
]
