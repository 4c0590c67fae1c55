"""The table of commands."""

from typing import Final

import click

from wattribute import __version__
from wattribute.cli.lazy import LazyGroup
from wattribute.core.registry import Registry

_COMMANDS: Final = Registry(
    "command",
    "wattribute.cli",
    {
        "agent": ("agent:agent", "Measure this node, and serve its joules at :9102."),
        "top": ("top:top", "Who uses the energy now: a live table."),
        "run": ("run:run", "Run a command, and print the energy that it used."),
        "doctor": ("doctor:doctor", "What works on this machine, and what does not."),
        "calibrate": ("calibrate:calibrate", "Correct the estimates by a measured number."),
        "gate": ("gate:gate", "Fail a build when its energy regresses."),
        "model": ("model:model", "Power models: train them, score them."),
        "ledger": ("ledger:ledger", "The book of hourly energy: fill, show, check it."),
        "statement": ("statement:statement", "Who pays which part of a month's bill."),
        "explain": ("explain:explain", "One number of a statement, taken apart."),
        "compare": ("compare:compare", "The same month by every method, side by side."),
        "serve": ("serve:serve", "Statements as pages and as JSON, at :9103."),
        "demo": ("demo:demo", "A self-made month of a two-bot cluster, to try things."),
        "focus": ("focus:focus", "Bills in FOCUS, the FinOps Foundation's format."),
        "carbon": ("carbon:carbon", "What a kilowatt-hour emits, here and then."),
        "scaler": ("scaler:scaler", "Carbon-aware scaling with KEDA."),
        "dev": ("dev:dev", "Tools for developers and for those who come from Kepler."),
    },
)

root = LazyGroup(
    "wattribute",
    commands=_COMMANDS,
    help_text="Who used the energy on this node: joules per process, container and pod.",
)
click.version_option(__version__, prog_name="wattribute")(root)
