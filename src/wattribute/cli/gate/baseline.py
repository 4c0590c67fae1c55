"""``wattribute gate baseline``: keep, show and clear what later runs are compared with."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import click
import msgspec
import numpy as np

from wattribute.cli.gate.options import BASELINE, results_option
from wattribute.cli.terminal import TerminalColumn, clean, print_table
from wattribute.core.errors import ConfigInvalid

_FILE: Final = click.option(
    "--file",
    type=click.Path(path_type=Path, dir_okay=False),
    default=BASELINE,
    show_default=True,
    help="The baseline file. Commit it to the repository.",
)
_COLUMNS: Final = (
    TerminalColumn("NAME"),
    TerminalColumn("AT"),
    TerminalColumn("REVISION"),
    TerminalColumn("RUNS", right=True),
    TerminalColumn("ENERGY J", right=True),
    TerminalColumn("CPU S", right=True),
    TerminalColumn("ORIGIN"),
    TerminalColumn("MACHINE"),
)
_AGE: Final = re.compile(r"(\d{1,5})([dhw])")
_HOURS: Final = {"h": 1, "d": 24, "w": 168}


@click.group()
def baseline() -> None:
    """Manage the baseline: one entry for each name, kind of machine and meter."""


@baseline.command()
@_FILE
@results_option("File with the runs, written by `gate run`.")
@click.option(
    "--name", metavar="NAME", help="Store only the runs of this name  [default: all in the file]"
)
def update(*, file: Path, results: Path, name: str | None) -> int:
    r"""Store the last runs as the baseline.

    \b
    wattribute gate run -- ./bench && wattribute gate baseline update
    """
    from wattribute.automation.gate import baseline as book
    from wattribute.automation.gate.series import read_series

    fresh = read_series(results, made_by="wattribute gate run")
    fresh = tuple(one for one in fresh if name in (None, one.name))
    if not fresh:
        raise ConfigInvalid(f"{results}: holds no runs of {name!r}")
    replaced = {one.name for one in book.update(file, fresh)}
    for one in fresh:
        word = "replaced" if one.name in replaced else "added"
        click.echo(f"{file}: {word} {clean(one.name)} ({len(one.runs)} runs)")
    return 0


@baseline.command()
@_FILE
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(*, file: Path, as_json: bool) -> int:
    """Show the entries of the baseline."""
    from wattribute.automation.gate.baseline import read_baseline

    entries = read_baseline(file)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(entries)).decode())
        return 0
    rows = [
        (
            one.name,
            one.at,
            one.revision or "-",
            str(len(one.runs)),
            _mean(one.values("energy_j")),
            _mean(one.values("cpu_s")),
            one.origin or "-",
            f"{one.key.get('cpu', '-')} ({one.key.get('cpus', '-')}), {one.key.get('meters', '-')}",
        )
        for one in entries
    ]
    print_table(_COLUMNS, rows)
    return 0


@baseline.command()
@_FILE
@click.option("--name", metavar="NAME", help="Remove only entries of this name.")
@click.option(
    "--older-than", metavar="AGE", help="Remove only entries older than this: 90d, 12w, 48h."
)
def prune(*, file: Path, name: str | None, older_than: str | None) -> int:
    """Remove entries, such as those of retired machines or renamed commands."""
    from wattribute.automation.gate import baseline as book

    if name is None and older_than is None:
        raise ConfigInvalid(
            "gate baseline prune: no filter given. Pass --name NAME, or --older-than 90d."
        )
    age = None if older_than is None else _age(older_than)
    dropped = book.prune(file, name=name, older_than=age, now=datetime.now(UTC))
    for one in dropped:
        click.echo(f"{file}: dropped {clean(one.name)} of {one.at}")
    click.echo(f"{file}: {len(dropped)} dropped, {len(book.read_baseline(file))} left")
    return 0


def _age(text: str) -> timedelta:
    match = _AGE.fullmatch(text)
    if match is None:
        raise ConfigInvalid(f"--older-than {text!r}: must be a number with h, d or w, as in 90d")
    return timedelta(hours=int(match[1]) * _HOURS[match[2]])


def _mean(values: tuple[float, ...]) -> str:
    return f"{np.mean(values):.4g}" if values else "-"
