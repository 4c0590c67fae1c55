"""``wattribute weights``: learned watts per core of many nodes, for new ones."""

from typing import Final

from wattribute.cli.lazy import LazyGroup
from wattribute.core.registry import Registry

_COMMANDS: Final = Registry(
    "command",
    "wattribute.cli.weights",
    {
        "export": ("export:export", "Pool what nodes learned, from the ledger, into a file."),
        "show": ("show:show", "Show the workloads in a file of pooled weights."),
        "import": ("import_:import_weights", "Check a file, and let a model server serve it."),
    },
)

weights = LazyGroup(
    "weights",
    commands=_COMMANDS,
    help_text="Give new nodes the watts per core that other nodes of their CPU model learned.",
)
"""The group."""
