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
        "agent": ("agent:agent", "Measure this node, and serve its energy metrics at :9102."),
        "top": ("top:top", "Show live which processes, containers and pods use the energy."),
        "run": ("run:run", "Run a command, and print the energy that it used."),
        "doctor": ("doctor:doctor", "Show what can be measured on this machine, and what cannot."),
        "calibrate": ("calibrate:calibrate", "Correct the estimates with a measured number."),
        "gate": ("gate:gate", "Fail a build when its energy regresses."),
        "model": ("model:model", "Train, evaluate and serve power models."),
        "weights": ("weights:weights", "Give new nodes the watts per core that others learned."),
        "ledger": ("ledger:ledger", "Collect, show and check hourly energy."),
        "statement": ("statement:statement", "Split a month's bill by energy use."),
        "explain": ("explain:explain", "Explain how one amount of a statement came about."),
        "compare": ("compare:compare", "Split one bill by every method, side by side."),
        "serve": ("serve:serve", "Serve statements as web pages and JSON at :9103."),
        "demo": ("demo:demo", "Write a month of example data to try the commands on."),
        "focus": (
            "focus:focus",
            "Export and validate bills in FOCUS, the FinOps Foundation's format.",
        ),
        "carbon": ("carbon:carbon", "Show the carbon intensity of electricity by place and time."),
        "scaler": ("scaler:scaler", "Scale Kubernetes workloads by carbon intensity, with KEDA."),
        "dev": ("dev:dev", "Use tools for developers, and for users who move from Kepler."),
    },
)

root = LazyGroup(
    "wattribute",
    commands=_COMMANDS,
    help_text="Measure how much energy each process, container and pod uses.",
)
click.version_option(__version__, prog_name="wattribute")(root)
