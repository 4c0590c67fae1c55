"""``wattribute ledger``: hourly energy, sealed."""

from typing import Final

from wattribute.cli.lazy import LazyGroup

_COMMANDS: Final = {
    "collect": ("wattribute.cli.ledger.collect:collect", "Read hours, and seal them."),
    "show": ("wattribute.cli.ledger.show:show", "Who used how much energy."),
    "check": ("wattribute.cli.ledger.check:check", "Find damage, duplicates and gaps."),
}

ledger = LazyGroup(
    "ledger",
    commands=_COMMANDS,
    help_text="The book of hourly energy: append-only, from Prometheus or from agents' spools.",
)
"""The group."""
