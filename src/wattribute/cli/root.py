"""The table of commands."""

from typing import Final

import click

from wattribute import __version__
from wattribute.cli.lazy import LazyGroup

_COMMANDS: Final = {
    "agent": ("wattribute.cli.agent:agent", "Measure this node, and serve its joules at :9102."),
    "top": ("wattribute.cli.top:top", "Who uses the energy now: a live table."),
    "run": ("wattribute.cli.run:run", "Run a command, and print the energy that it used."),
    "doctor": ("wattribute.cli.doctor:doctor", "What works on this machine, and what does not."),
    "calibrate": (
        "wattribute.cli.calibrate:calibrate",
        "Correct the estimates by a measured number.",
    ),
    "gate": ("wattribute.cli.gate:gate", "Fail a build when its energy regresses."),
    "model": ("wattribute.cli.model:model", "Power models: train them, score them."),
    "ledger": ("wattribute.cli.ledger:ledger", "The book of hourly energy: fill, show, check it."),
    "statement": ("wattribute.cli.statement:statement", "Who pays which part of a month's bill."),
    "explain": ("wattribute.cli.explain:explain", "One number of a statement, taken apart."),
    "compare": ("wattribute.cli.compare:compare", "The same month by every method, side by side."),
    "serve": ("wattribute.cli.serve:serve", "Statements as pages and as JSON, at :9103."),
    "demo": ("wattribute.cli.demo:demo", "A self-made month of a two-bot cluster, to try things."),
    "focus": ("wattribute.cli.focus:focus", "Bills in FOCUS, the FinOps Foundation's format."),
    "carbon": ("wattribute.cli.carbon:carbon", "What a kilowatt-hour emits, here and then."),
    "scaler": ("wattribute.cli.scaler:scaler", "Carbon-aware scaling with KEDA."),
    "dev": ("wattribute.cli.dev:dev", "Tools for developers and for those who come from Kepler."),
}

root = LazyGroup(
    "wattribute",
    commands=_COMMANDS,
    help_text="Who used the energy on this node: joules per process, container and pod.",
)
click.version_option(__version__, prog_name="wattribute")(root)
