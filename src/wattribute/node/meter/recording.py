"""The file of a recorded run: what ``record`` writes and the meter ``replay`` plays.

JSON lines. The first describes the zones, each following one is an instant::

    {"format":"wattribute-run","version":1,"zones":[{"kind":"package","id":"0","source":
     "rapl-sysfs","package":"0","form":"counter","wraps_at_uj":262143328850}]}
    {"t_ns":0,"values":[1000]}
    {"t_ns":1000000000,"values":[26000000]}

``t_ns`` only rises, from any start. ``values`` are in the zones' order, in
microjoules (form ``counter``) or microwatts (``average``, ``power``); null for
a zone that could not be read. Estimates are no readings: they can be made
again from the model.
"""

from collections.abc import Iterable
from pathlib import Path

import msgspec

from wattribute.core.errors import ConfigInvalid
from wattribute.core.records import Counter, Gauge, Reading, Zone
from wattribute.core.units import Nanoseconds
from wattribute.node.meter.filemeter import Form

FORMAT = "wattribute-run"
VERSION = 1


class ZoneLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One zone of the first line."""

    kind: str
    id: str
    source: str
    form: Form
    package: str | None = None
    wraps_at_uj: int | None = None

    @property
    def zone(self) -> Zone:
        """The zone that it describes."""
        return Zone(self.kind, self.id, self.source, self.package)


class Head(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The first line."""

    format: str
    version: int
    zones: tuple[ZoneLine, ...]


class Instant(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Every other line."""

    t_ns: int
    values: tuple[int | None, ...]


def record(path: Path, rounds: Iterable[tuple[Nanoseconds, Iterable[Reading]]]) -> int:
    """Write rounds of readings to a file as they come; return how many instants were written.

    The zones are those of the first round; one that comes later is left out.

    Raises:
        OSError: the file cannot be written.
    """
    count = 0
    zones: list[Zone] = []
    with path.open("wb") as file:
        for now_ns, readings in rounds:
            values = {r.zone: r.value for r in readings}
            if not zones:
                zones = list(values)
                head = Head(FORMAT, VERSION, tuple(_line(z, v) for z, v in values.items()))
                file.write(msgspec.json.encode(head) + b"\n")
            numbers = tuple(_number(values.get(zone)) for zone in zones)
            file.write(msgspec.json.encode(Instant(now_ns, numbers)) + b"\n")
            count += 1
    return count


def load(path: Path) -> tuple[Head, list[Instant]]:
    """Read a recorded run.

    Raises:
        ConfigInvalid: it cannot be read, or is not a recorded run; says in which line.
    """
    try:
        lines = path.read_bytes().splitlines()
    except OSError as exc:
        raise ConfigInvalid(f"meter.replay: {path}: {exc.strerror}") from exc
    head: Head | None = None
    instants: list[Instant] = []
    try:
        head = msgspec.json.decode(lines[0] if lines else b"", type=Head)
        if (head.format, head.version) != (FORMAT, VERSION):
            raise ConfigInvalid(
                f"meter.replay: {path}: {head.format} {head.version}; plays {FORMAT} {VERSION}"
            )
        for line in lines[1:]:
            instant = msgspec.json.decode(line, type=Instant)
            _check(instant, instants[-1] if instants else None, len(head.zones))
            instants.append(instant)
    except (msgspec.MsgspecError, ValueError) as exc:
        number = 1 if head is None else len(instants) + 2
        raise ConfigInvalid(f"meter.replay: {path}, line {number}: {exc}") from exc
    if not instants or not head.zones:
        raise ConfigInvalid(f"meter.replay: {path}: nothing was recorded")
    return head, instants


def _check(instant: Instant, before: Instant | None, zones: int) -> None:
    if len(instant.values) != zones:
        raise ValueError(f"{len(instant.values)} values for {zones} zones")
    if before is not None and instant.t_ns <= before.t_ns:
        raise ValueError(f"t_ns {instant.t_ns} is not after {before.t_ns}")
    if any(value is not None and not 0 <= value < 2**63 for value in instant.values):
        raise ValueError("a value is negative, or longer than 63 bits")


def _line(zone: Zone, value: Counter | Gauge) -> ZoneLine:
    if isinstance(value, Counter):
        form, wraps_at_uj = Form.COUNTER, value.wraps_at_uj
    else:
        form, wraps_at_uj = Form.AVERAGE if value.averaged else Form.POWER, None
    return ZoneLine(zone.kind, zone.id, zone.source, form, zone.package, wraps_at_uj)


def _number(value: Counter | Gauge | None) -> int | None:
    if value is None:
        return None
    return value.energy_uj if isinstance(value, Counter) else value.power_uw
