"""The settings: one frozen tree, file < environment < flags."""

from wattribute.core.settings.keys import FLAGS, Key, keys
from wattribute.core.settings.ledger_side import (
    Bills,
    Budget,
    Carbon,
    Ledger,
    Ownership,
    OwnershipRule,
    Scaler,
    SharedCost,
    Team,
    Web,
)
from wattribute.core.settings.load import effective, load
from wattribute.core.settings.tree import (
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
    "Bills",
    "Budget",
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
    "Team",
    "Web",
    "Workload",
    "effective",
    "keys",
    "load",
]
