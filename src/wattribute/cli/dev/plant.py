"""``wattribute dev plant``: play a machine whose true joules are known."""

import math
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
import msgspec

from wattribute.cli.number import Number
from wattribute.cli.terminal import TerminalColumn, print_table
from wattribute.core.errors import ConfigInvalid
from wattribute.core.units import joules, seconds

if TYPE_CHECKING:
    from wattribute_testing.plant import Scenario, Truth

_COLUMNS: Final = (
    TerminalColumn("ROW"),
    *(TerminalColumn(name, right=True) for name in ("CPU s", "JOULES")),
)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--scenario",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Scenario in JSON. Without it, one process uses a whole CPU and another one third.",
)
@click.option(
    "--seconds",
    type=Number(min=0),
    help="Stop after this many seconds. Without it, run until Ctrl-C.",
)
@click.option(
    "--truth",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write the true energy of each process to this file, as JSON.",
)
@click.option(
    "--journal",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write the true power over time to this file, as CSV.",
)
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print the true energy of each process as JSON at the end.",
)
def plant(
    *,
    folder: Path,
    scenario: Path | None,
    seconds: float | None,
    truth: Path | None,
    journal: Path | None,
    as_json: bool,
) -> int:
    """Simulate a machine with power sensors; an agent reads it with --sysfs FOLDER.

    Real processes run; their energy is CPU time x watts, as the scenario says. The
    command ends after --seconds or with Ctrl-C, and prints the true energy.
    """
    try:
        from wattribute_testing.plant import run_plant
        from wattribute_testing.plant.scenario import load_scenario
    except ModuleNotFoundError as exc:
        if exc.name != "wattribute_testing":
            raise
        raise ConfigInvalid(
            "the plant is not installed: it is in the distribution wattribute-testing; "
            "in a clone: pip install ./testing, or make setup-dev"
        ) from exc

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    click.echo(f"plant: try `wattribute top --local --sysfs {folder}`", err=True)
    final = run_plant(
        load_scenario(scenario) if scenario else _example(),
        folder,
        seconds=math.inf if seconds is None else seconds,
        truth=truth,
        journal=journal,
        stop=stop,
    )
    if as_json:
        click.echo(msgspec.json.encode(final).decode())
    else:
        _print(final)
    return 0


def _example() -> "Scenario":
    from wattribute_testing.plant import Burn, Group, Scenario

    return Scenario(
        groups=(
            Group(name="busy", commands=(Burn(),)),
            Group(name="third", commands=(Burn(load=1 / 3),)),
        )
    )


def _print(truth: "Truth") -> None:
    energy: dict[str, int] = {}
    for zone, rows in truth.zones.items():
        if zone.startswith(("package", "dram")):  # the others overlap these
            for row, energy_uj in rows.items():
                energy[row] = energy.get(row, 0) + energy_uj
    cpu_ns = {name: group.cpu_ns for name, group in truth.groups.items()}
    cpu_ns["rest"] = truth.rest_cpu_ns
    print_table(
        _COLUMNS,
        [
            (
                row,
                f"{seconds(cpu_ns[row]):.3f}" if row in cpu_ns else "",
                f"{joules(energy_uj):.3f}",
            )
            for row, energy_uj in energy.items()
        ],
    )
    for note in truth.notes:
        click.echo(f"note: {note}", err=True)
