"""``wattribute dev try meter``: run one meter alone, and print what it says."""

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import click
import msgspec

from wattribute.cli.number import Number
from wattribute.cli.options import MEASURING, with_settings
from wattribute.cli.terminal import TerminalColumn, print_table
from wattribute.cli.waiting import PATIENCE_S
from wattribute.core.units import joules, microwatts, power_of, watts
from wattribute.settings import Settings

if TYPE_CHECKING:
    from wattribute.core.records import Interval, Reading
    from wattribute.node.meter import Meter
    from wattribute.node.meter.backend import MeterBackend
    from wattribute.node.settings import NodeSettings

_COLUMNS: Final = (
    TerminalColumn("ZONE"),
    TerminalColumn("SOURCE"),
    TerminalColumn("FIRST"),
    TerminalColumn("LAST"),
    TerminalColumn("POWER W", right=True),
)
_MOST_UW: Final = microwatts(1_000_000)
"""No meter shows more than that; a jump beyond it is a counter that began anew."""


@dataclass(slots=True)
class _ZoneRow:
    """What the meter said of one zone."""

    zone: str
    source: str
    first: str = ""
    last: str = ""
    power_watts: float | None = None
    """The mean power between the first reading and the last; None: the two make no interval."""


@dataclass(slots=True)
class _Report:
    """Everything that one meter said."""

    meter: str
    sees: str
    state: str
    """``works``, ``absent``, ``denied`` or ``failed``."""
    message: str = ""
    notes: tuple[str, ...] = ()
    zones: list[_ZoneRow] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    broken_promises: list[str] = field(default_factory=list)
    """Where the meter does not do what its facts say."""


@click.command()
@click.argument("name")
@click.option(
    "--seconds",
    "pause_s",
    type=Number(min=0, max=3600),
    default=1.0,
    show_default=True,
    help="The time between the first reading and the last.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_settings(*(flag for flag in MEASURING if flag != "--meters"))
def meter(*, settings: Settings, name: str, pause_s: float, as_json: bool) -> int:
    """Run one meter alone, and print its zones, its readings and its problems.

    Also compares the meter with its own facts (BACKEND): a zone of a kind or from a source that
    they do not name is said. Exit code: 0; 1 if the meter cannot be used or breaks its facts.
    """
    report = _try(settings.node, name, pause_s)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(report)).decode())
    else:
        _print(report)
    return 0 if report.state == "works" and not report.broken_promises else 1


def _try(settings: "NodeSettings", name: str, pause_s: float) -> _Report:
    from wattribute.core.errors import MeterDenied, MeterError, MeterFailed
    from wattribute.node.meter import HasNotes, Settles
    from wattribute.node.meter.choose import backend_named

    backend = backend_named(name)
    # Under its name alone, so that no meter leaves it out for another that sees the same.
    use = msgspec.structs.replace(settings.meter, use=(name,))
    try:
        meter = backend.open(msgspec.structs.replace(settings, meter=use), frozenset())
    except MeterError as exc:
        state = "denied" if isinstance(exc, MeterDenied) else "absent"
        state = "failed" if isinstance(exc, MeterFailed) else state
        return _Report(name, backend.sees, state, str(exc))
    try:
        if isinstance(meter, Settles):
            meter.settle(PATIENCE_S)
        report = _Report(name, backend.sees, "works")
        first, last = _read(meter, report), {}
        if not report.message:
            time.sleep(pause_s)
            last = _read(meter, report)
        report.notes = meter.notes if isinstance(meter, HasNotes) else ()
        report.zones = _rows(meter, first, last)
        report.broken_promises = _broken_promises(meter, backend)
    finally:
        meter.close()
    return report


def _read(meter: "Meter", report: _Report) -> "dict[str, Reading]":
    """Read once; problems go into the report."""
    from wattribute.core.errors import MeterError
    from wattribute.core.units import Nanoseconds

    try:
        readings = list(meter.read(Nanoseconds(time.monotonic_ns())))
    except MeterError as exc:
        report.state, report.message = "failed", str(exc)
        return {}
    report.problems += [line for line in meter.problems if line not in report.problems]
    return {r.zone.name: r for r in readings}


def _rows(
    meter: "Meter", first: "dict[str, Reading]", last: "dict[str, Reading]"
) -> list[_ZoneRow]:
    rows = []
    for zone in meter.zones:
        name = zone.name
        row = _ZoneRow(name, zone.source, _in_words(first.get(name)), _in_words(last.get(name)))
        interval = _interval(first.get(name), last.get(name))
        if interval is not None:
            elapsed_ns = interval.end_ns - interval.start_ns
            row.power_watts = watts(power_of(interval.energy_uj, elapsed_ns))
        rows.append(row)
    return rows


def _in_words(reading: "Reading | None") -> str:
    """Return a reading as people read it; "" for none."""
    from wattribute.core.records import Counter

    if reading is None:
        return ""
    value = reading.value
    if isinstance(value, Counter):
        return f"counter {joules(value.energy_uj):.3f} J"
    return f"{'mean' if value.averaged else 'power'} {watts(value.power_uw):.3f} W"


def _interval(first: "Reading | None", last: "Reading | None") -> "Interval | None":
    from wattribute.core.records import Interval
    from wattribute.node.attribution.interval import interval_between

    if first is None or last is None:
        return None
    interval = interval_between(first, last, power_max_uw=_MOST_UW)
    return interval if isinstance(interval, Interval) else None


def _broken_promises(meter: "Meter", backend: "MeterBackend") -> list[str]:
    """Return where the meter does not fit its facts; each line says what to correct."""
    lines = []
    if meter.name != backend.name:
        lines.append(f"the meter calls itself {meter.name!r}, and its BACKEND {backend.name!r}")
    for zone in meter.zones:
        if zone.kind not in backend.kinds:
            lines.append(f"zone {zone.name}: add {zone.kind!r} to BACKEND.kinds")
        if backend.sources and zone.source not in backend.sources:
            lines.append(f"zone {zone.name}: add {zone.source!r} to BACKEND.sources")
    return lines


def _print(report: _Report) -> None:
    click.echo(f"{report.meter}: {report.state}; sees {report.sees}")
    for line in (report.message, *report.notes):
        if line:
            click.echo(line)
    if report.zones:
        power = ["" if r.power_watts is None else f"{r.power_watts:.3f}" for r in report.zones]
        rows = [
            (r.zone, r.source, r.first, r.last, power_text)
            for r, power_text in zip(report.zones, power, strict=True)
        ]
        print_table(_COLUMNS, rows)
    for line in report.problems:
        click.echo(f"problem: {line}")
    for line in report.broken_promises:
        click.echo(f"against its facts: {line}", err=True)
