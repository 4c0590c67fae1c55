"""``wattribute ledger``: hourly energy, sealed."""

from typing import Final

from wattribute.cli.lazy import LazyGroup
from wattribute.core.registry import Registry

_COMMANDS: Final = Registry(
    "command",
    "wattribute.cli.ledger",
    {
        "collect": ("collect:collect", "Read hours of energy use, and store them."),
        "show": ("show:show", "Show who used how much energy."),
        "check": ("check:check", "Find damaged files, duplicates and gaps."),
    },
)

ledger = LazyGroup(
    "ledger",
    commands=_COMMANDS,
    help_text="Store hourly energy in append-only files, from Prometheus or from agents' spools.",
)
"""The group."""
