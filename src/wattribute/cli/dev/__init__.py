"""``wattribute dev``: tools for developers, and for those who come from Kepler."""

from typing import Final

from wattribute.cli.lazy import LazyGroup
from wattribute.core.registry import Registry

_COMMANDS: Final = Registry(
    "command",
    "wattribute.cli.dev",
    {
        "plant": ("plant:plant", "A simulated machine whose true joules are known."),
        "convert-config": ("convert:convert_config", "Turn Kepler's configuration into ours."),
        "try": ("trial:trial", "Run one backend alone, and print what it says."),
        "docs": ("docs:docs", "Write the reference pages from the code."),
    },
)

dev = LazyGroup(
    "dev",
    commands=_COMMANDS,
    help_text="Tools for developers, and for those who come from Kepler.",
)
