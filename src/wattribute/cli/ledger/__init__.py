"""``wattribute ledger``: hourly energy, sealed."""

from typing import Final

from wattribute.cli.lazy import LazyGroup
from wattribute.core.registry import Registry

_COMMANDS: Final = Registry(
    "command",
    "wattribute.cli.ledger",
    {
        "collect": ("collect:collect", "Read hours, and seal them."),
        "show": ("show:show", "Who used how much energy."),
        "check": ("check:check", "Find damage, duplicates and gaps."),
    },
)

ledger = LazyGroup(
    "ledger",
    commands=_COMMANDS,
    help_text="The book of hourly energy: append-only, from Prometheus or from agents' spools.",
)
"""The group."""
