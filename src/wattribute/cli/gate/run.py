"""``wattribute gate run``: measure a command several times."""

from pathlib import Path

import click
import msgspec

from wattribute.cli.gate.options import results_option
from wattribute.cli.log import configure
from wattribute.cli.number import Number
from wattribute.cli.options import MEASURING, with_settings
from wattribute.cli.terminal import clean
from wattribute.core.errors import ConfigInvalid
from wattribute.settings import Settings


@click.command(context_settings={"allow_interspersed_args": False})
@click.option("--runs", type=click.IntRange(1, 1000), default=7, show_default=True,
              help="Measured runs.")  # fmt: skip
@click.option("--warmup", type=click.IntRange(0, 100), default=1, show_default=True,
              help="Runs before the measured ones; they are not counted.")  # fmt: skip
@click.option(
    "--name", metavar="NAME", help="Name of these runs in the baseline  [default: the command]"
)
@results_option("File for the runs. Runs of other names in it are kept.")
@click.option("--g-per-kwh", type=Number(min=0, min_open=True), metavar="G",
              help="Carbon intensity of the electricity; adds the metric co2e_g.")  # fmt: skip
@click.option("--units", type=Number(min=0, min_open=True), metavar="N",
              help="Units of work per run (requests, tokens); adds energy_per_unit.")  # fmt: skip
@click.option("--units-file", type=click.Path(path_type=Path, dir_okay=False),
              help="Read the units of work from this file, which each run writes.")  # fmt: skip
@click.option("--location", default="", metavar="FILE:LINE",
              help="Place that annotations point to  [default: the baseline file]")  # fmt: skip
@click.option(
    "--json", "as_json", is_flag=True, help="Print the measured runs as JSON on standard error."
)
@with_settings("--interval", *MEASURING)
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def run(
    *,
    settings: Settings,
    command: tuple[str, ...],
    runs: int,
    warmup: int,
    name: str | None,
    results: Path,
    g_per_kwh: float | None,
    units: float | None,
    units_file: Path | None,
    location: str,
    as_json: bool,
) -> int:
    r"""Measure a command and all its children several times: CPU, DRAM and GPU.

    \b
    wattribute gate run --runs 7 --warmup 1 -- pytest -q tests/perf

    The runs are written to a file for `gate check` and `gate baseline update`. Messages go to
    standard error, so the command's own output stays as it is.

    Exit code: 0; 5 if the command failed, because a failed run cannot be compared.
    """
    from wattribute.automation.gate.repeat import Work, repeat
    from wattribute.automation.gate.series import with_series
    from wattribute.cli.gate.shown import show_series

    configure(settings.log)
    if units is not None and units_file is not None:
        raise ConfigInvalid("Give either --units or --units-file, not both.")
    work = Work(
        name=name or " ".join(command),
        command=command,
        settings=settings.node,
        g_per_kwh=g_per_kwh,
        units=units,
        units_file=units_file,
        location=location,
    )
    try:
        series = repeat(work, runs, warmup, say)
    except OSError as exc:
        raise cannot_start(command, exc) from exc
    with_series(results, series)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(series)).decode(), err=True)
    else:
        show_series(series)
        click.echo(f"kept in {results}; next: wattribute gate check", err=True)
    return 0


def say(what: str) -> None:
    """Say on standard error which run starts now."""
    click.echo(f"wattribute: {clean(what)}", err=True)


def cannot_start(command: tuple[str, ...], exc: OSError) -> ConfigInvalid:
    """Make the error for a command that cannot be started."""
    return ConfigInvalid(f"{clean(command[0])}: cannot be started: {exc.strerror}")
