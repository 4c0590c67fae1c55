"""``wattribute run -- CMD...``: measure the energy of a command."""

import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Final, TextIO

import click
import msgspec

from wattribute.cli.log import configure
from wattribute.cli.number import Number
from wattribute.cli.options import MEASURING, with_settings
from wattribute.cli.terminal import clean
from wattribute.core.errors import ConfigInvalid
from wattribute.core.units import joules, seconds
from wattribute.settings import Settings

if TYPE_CHECKING:
    from wattribute.node.measuring import Measurement

_STDERR: Final = "-"
_CANNOT_RUN: Final = 126
_NOT_FOUND: Final = 127


@click.command(
    context_settings={"allow_interspersed_args": False},  # flags after CMD are the command's
)
@click.option(
    "--json",
    "json_file",
    is_flag=False,
    flag_value=_STDERR,
    metavar="[FILE]",
    help="Write the result as JSON to FILE, or to standard error. Write -- before the command.",
)
@click.option(
    "--g-per-kwh",
    type=Number(min=0),
    metavar="G",
    help="Carbon intensity of the electricity, in gCO2e per kWh; adds emissions to the result.",
)
@with_settings("--interval", *MEASURING)
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def run(
    *,
    settings: Settings,
    command: tuple[str, ...],
    json_file: str | None,
    g_per_kwh: float | None,
) -> int:
    """Run a command, and print the energy that it and all its children used.

    The result goes to standard error. The command's own output stays as it is.

    Exit code: the command's; 128 + n if signal n ended it, 127 if it was not
    found, 126 if it could not be started.
    """
    from wattribute.node.measuring import run_command

    configure(settings.log)
    with _opened(json_file) as out:
        try:
            measured = run_command(command, settings.node, g_per_kwh)
        except OSError as exc:
            click.echo(f"wattribute: error: {clean(command[0])}: {exc.strerror}", err=True)
            return _NOT_FOUND if isinstance(exc, FileNotFoundError) else _CANNOT_RUN
        if json_file is None:
            out.write(described(measured))
        else:
            out.write(msgspec.json.format(msgspec.json.encode(_as_json(measured))).decode() + "\n")
    return measured.exit_code if measured.exit_code >= 0 else 128 - measured.exit_code


def _opened(json_file: str | None) -> AbstractContextManager[TextIO]:
    """Open the stream for the result before the run, so that a wrong path costs no run."""
    if json_file in {None, _STDERR}:
        return nullcontext(sys.stderr)
    try:
        return Path(str(json_file)).open("w", encoding="utf-8")
    except OSError as exc:
        raise ConfigInvalid(f"--json {json_file}: cannot be written: {exc.strerror}") from exc


def _as_json(measured: "Measurement") -> dict[str, object]:
    return {
        "command": list(measured.command),
        "exit_code": measured.exit_code,
        "elapsed_s": seconds(measured.elapsed_ns),
        "cpu_s": seconds(measured.cpu_ns),
        "joules": measured.joules,
        "low_joules": measured.low_joules,
        "high_joules": measured.high_joules,
        "origin": measured.origin,
        "by_component": {
            name: {
                "dynamic_joules": joules(part.dynamic_uj),
                "idle_joules": joules(part.idle_uj),
                "low_joules": joules(part.low_uj),
                "high_joules": joules(part.high_uj),
                "origin": part.origin,
            }
            for name, part in measured.by_component.items()
        },
        "grams_co2e": measured.grams_co2e,
        "complete": measured.complete,
        "notes": list(measured.notes),
    }


def described(measured: "Measurement") -> str:
    """Describe the result in a few lines of text."""
    elapsed = max(seconds(measured.elapsed_ns), 1e-9)
    band = _band(measured.origin, measured.low_joules, measured.high_joules)
    power = amount(measured.joules / elapsed)
    lines = [
        f"wattribute: {amount(measured.joules)} J {measured.origin}{band}",
        f"  {elapsed:.3f} s, {seconds(measured.cpu_ns):.3f} s of CPU time, {power} W on average",
    ]
    for name, part in measured.by_component.items():
        energy = amount(joules(part.dynamic_uj + part.idle_uj))
        band = _band(part.origin, joules(part.low_uj), joules(part.high_uj))
        idle = f", {amount(joules(part.idle_uj))} J of it idle" if part.idle_uj else ""
        lines.append(f"  {name:<6} {energy:>9} J {part.origin}{band}{idle}")
    if measured.grams_co2e is not None:
        lines.append(f"  carbon {amount(measured.grams_co2e):>9} g CO2e")
    if not measured.complete:
        lines.append("  incomplete: part of the energy could not be measured")
    lines += [f"  note: {clean(note)}" for note in measured.notes]
    return "".join(f"{line}\n" for line in lines)


def amount(value: float) -> str:
    """A number with four digits that count: ``0.01234``, ``12.34``, ``1234``."""
    if abs(value) >= 1000:
        return f"{value:.0f}"
    return f"{value:.4g}"


def _band(origin: str, low: float, high: float) -> str:
    return f" ({amount(low)} to {amount(high)} J)" if origin == "estimated" else ""
