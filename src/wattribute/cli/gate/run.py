"""``wattribute gate run``: measure a command, some times over."""

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
              help="Runs before, not measured.")  # fmt: skip
@click.option("--name", metavar="NAME", help="What the baseline calls it  [default: the command]")
@results_option("Where the runs are kept; other names in it stay.")
@click.option("--g-per-kwh", type=Number(min=0, min_open=True), metavar="G",
              help="Carbon intensity of the electricity: adds co2e_g.")  # fmt: skip
@click.option("--units", type=Number(min=0, min_open=True), metavar="N",
              help="Units of work in a run (requests, tokens): adds energy_per_unit.")  # fmt: skip
@click.option("--units-file", type=click.Path(path_type=Path, dir_okay=False),
              help="The same from a file that the command writes anew in each run.")  # fmt: skip
@click.option("--location", default="", metavar="FILE:LINE",
              help="Where annotations point  [default: the baseline file]")  # fmt: skip
@click.option(
    "--json", "as_json", is_flag=True, help="What was measured as JSON, on standard error."
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
    r"""Measure a command and all its children, some times over: CPU, DRAM, GPU.

    \b
    wattribute gate run --runs 7 --warmup 1 -- pytest -q tests/perf

    The runs are kept in a file, for `gate check` and `gate baseline update`. What is printed goes
    to standard error; the command's own output is left alone.

    Exit code: 0; 5 if the command failed, because what did not do its work cannot be compared.
    """
    from wattribute.automation.gate.repeat import Work, repeat
    from wattribute.automation.gate.series import with_series
    from wattribute.cli.gate.shown import show_series

    configure(settings.log)
    if units is not None and units_file is not None:
        raise ConfigInvalid("--units and --units-file: give one of them")
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
    """Which run comes now."""
    click.echo(f"wattribute: {clean(what)}", err=True)


def cannot_start(command: tuple[str, ...], exc: OSError) -> ConfigInvalid:
    """The command line names no program."""
    return ConfigInvalid(f"{clean(command[0])}: cannot be started: {exc.strerror}")
