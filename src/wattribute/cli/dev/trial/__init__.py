"""``wattribute dev try``: one backend alone, for whoever writes one."""

from typing import Final

from wattribute.cli.lazy import LazyGroup
from wattribute.core.registry import Registry

_COMMANDS: Final = Registry(
    "command",
    "wattribute.cli.dev.trial",
    {
        "meter": ("meter:meter", "Run one meter alone: its zones, its readings, its problems."),
        "carbon": (
            "carbon:carbon",
            "Ask one carbon source alone: the present, the past, a forecast.",
        ),
    },
)

trial = LazyGroup("try", commands=_COMMANDS, help_text="Run one backend alone.")
"""The group."""
