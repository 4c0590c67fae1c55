"""``wattribute dev``: tools for developers, and for those who come from Kepler."""

from typing import Final

from wattribute.cli.lazy import LazyGroup

_COMMANDS: Final = {
    "plant": ("wattribute.cli.dev.plant:plant", "A simulated machine whose true joules are known."),
    "convert-config": (
        "wattribute.cli.dev.convert:convert_config",
        "Turn Kepler's configuration into ours.",
    ),
    "docs": ("wattribute.cli.dev.docs:docs", "Write the reference pages from the code."),
}

dev = LazyGroup(
    "dev",
    commands=_COMMANDS,
    help_text="Tools for developers, and for those who come from Kepler.",
)
