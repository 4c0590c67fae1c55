"""``wattribute dev``: tools for developers, and for users who move from Kepler."""

from typing import Final

from wattribute.cli.lazy import LazyGroup
from wattribute.core.registry import Registry

_COMMANDS: Final = Registry(
    "command",
    "wattribute.cli.dev",
    {
        "plant": ("plant:plant", "Simulate a machine whose true energy use is known."),
        "convert-config": (
            "convert:convert_config",
            "Convert Kepler's configuration to Wattribute's.",
        ),
        "try": ("trial:trial", "Run one backend alone, and print what it reads."),
        "record": ("record:record", "Record a trace for the accuracy bench."),
        "docs": ("docs:docs", "Write the reference pages from the code."),
    },
)

dev = LazyGroup(
    "dev",
    commands=_COMMANDS,
    help_text="Use tools for developers, and for users who move from Kepler.",
)
