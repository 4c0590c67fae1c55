"""Plays a recorded run as if the machine were here."""

from bisect import bisect_right
from pathlib import Path

from wattribute.core.errors import ConfigInvalid, MeterFailed, MeterGone
from wattribute.core.records import Counter, Gauge, Reading, Zone
from wattribute.core.units import Microjoules, Microwatts, Nanoseconds
from wattribute.node.meter.backend import MeterBackend
from wattribute.node.meter.filemeter import Form
from wattribute.node.meter.recording import Instant, ZoneLine, load
from wattribute.node.settings import NodeSettings


class ReplayMeter:
    """The readings of a recorded run, in its own time.

    The first read is the run's first instant; every later one is the last
    instant that had come by then. After the run's last instant the meter is gone:
    playing it again would be a counter that falls.
    """

    name = "replay"

    def __init__(self, path: Path) -> None:
        """Load a run (see ``meter.recording``).

        Raises:
            ConfigInvalid: the file is no recorded run.
        """
        head, self._instants = load(path)
        self._path = path
        self._lines = head.zones
        self._times = [instant.t_ns for instant in self._instants]
        self._offset_ns: int | None = None
        self._problems: tuple[str, ...] = ()

    @property
    def zones(self) -> tuple[Zone, ...]:
        """All zones of the run."""
        return tuple(line.zone for line in self._lines)

    @property
    def problems(self) -> tuple[str, ...]:
        """Zones that could not be read at that instant of the run."""
        return self._problems

    def read(self, now_ns: Nanoseconds) -> tuple[Reading, ...]:
        """Return what the run says of this instant, zones that it could not read left out.

        Raises:
            MeterFailed: the run has no value of any zone for this instant.
            MeterGone: the run is over.
        """
        if self._offset_ns is None:
            self._offset_ns = now_ns - self._times[0]
        t_ns = now_ns - self._offset_ns
        if t_ns > self._times[-1]:
            raise MeterGone(f"replay: {self._path} is over")
        instant = self._instants[max(0, bisect_right(self._times, t_ns) - 1)]
        readings, self._problems = self._readings(instant, now_ns)
        if not readings:
            raise MeterFailed(f"replay: {self._path} has no value at t_ns {instant.t_ns}")
        return readings

    def close(self) -> None:
        """Nothing is held open."""

    def _readings(
        self, instant: Instant, now_ns: Nanoseconds
    ) -> tuple[tuple[Reading, ...], tuple[str, ...]]:
        readings: list[Reading] = []
        problems: list[str] = []
        for line, number in zip(self._lines, instant.values, strict=True):
            if number is None:
                problems.append(f"{line.kind} {line.id}: could not be read in the recorded run")
            else:
                readings.append(Reading(line.zone, now_ns, _value(line, number)))
        return tuple(readings), tuple(problems)


def _value(line: ZoneLine, number: int) -> Counter | Gauge:
    if line.form is Form.COUNTER:
        wrap = None if line.wraps_at_uj is None else Microjoules(line.wraps_at_uj)
        return Counter(Microjoules(number), wrap)
    return Gauge(Microwatts(number), averaged=line.form is Form.AVERAGE)


def _open(settings: NodeSettings, _covered: frozenset[str]) -> ReplayMeter:
    if not settings.meter.replay:
        raise ConfigInvalid("meter.replay: name the recorded run that the meter replay shall play")
    return ReplayMeter(Path(settings.meter.replay))


BACKEND = MeterBackend(
    name=ReplayMeter.name,
    open=_open,
    sees="what the recorded run has",
    kinds=frozenset({"package", "core", "uncore", "dram", "gpu", "platform"}),
    sources=frozenset(),
    form="either",
    auto=False,
    other_machine=True,
)
