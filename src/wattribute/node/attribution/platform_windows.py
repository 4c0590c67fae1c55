"""The platform's energy by its one best source, a window at a time.

A box of several modules has a meter for each, which count together: a window is told
when each of them has told of it, so that one that misses a tick loses nothing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from wattribute.core.records import Interval, Zone
from wattribute.core.units import Microjoules, Nanoseconds, nanoseconds

_SOURCES: Final = {"redfish": 0, "acpi": 1, "hwmon": 2, "ipmi": 3, "rapl-sysfs": 4}
"""Sources of platform meters, best first: a BMC that somebody named sees the power supplies' input;
ACPI and hwmon move more often than DCMI; psys (rapl-sysfs) is only the processor's board."""
_SILENT_NS: Final = nanoseconds(300)
"""One that was not heard for so long is not waited for."""


class PlatformWindows:
    """Puts intervals of platform zones together."""

    def __init__(self) -> None:
        """Nothing was heard yet."""
        self._heard_ns: dict[Zone, int] = {}
        """The end of each zone's last interval."""
        self._runs: dict[Zone, Interval] = {}
        """Of the best source: what each zone has told, and the whole has not."""

    def add(self, intervals: Iterable[Interval]) -> Interval | None:
        """Take a tick's intervals of all zones; the window that is complete now, if one is.

        A window is the intersection of what the modules have told; what one of them told
        of time in which another one has a gap counts for nothing.
        """
        intervals = sorted(intervals, key=lambda interval: interval.start_ns)
        now_ns = max((interval.end_ns for interval in intervals), default=0)
        platforms = [interval for interval in intervals if interval.zone.kind == "platform"]
        for interval in platforms:
            self._heard_ns[interval.zone] = interval.end_ns
        heard = [z for z, at_ns in self._heard_ns.items() if now_ns - at_ns <= _SILENT_NS]
        best = min((z.source for z in heard), key=lambda name: _SOURCES.get(name, 1), default="")
        modules = [zone for zone in heard if zone.source == best]
        self._runs = {zone: run for zone, run in self._runs.items() if zone in modules}
        for interval in platforms:
            if interval.zone in modules:
                self._runs[interval.zone] = _joined(self._runs.get(interval.zone), interval)
        return self._whole(modules)

    def _whole(self, modules: Sequence[Zone]) -> Interval | None:
        """The window that all modules have told of; what is before it is forgotten."""
        if not self._runs or len(self._runs) < len(modules):
            return None
        start_ns = max(run.start_ns for run in self._runs.values())
        end_ns = min(run.end_ns for run in self._runs.values())
        if start_ns >= end_ns:
            return None
        energy_uj = 0
        for zone, run in list(self._runs.items()):
            _, rest = _cut(run, start_ns)
            told, later = _cut(rest or run, end_ns)
            energy_uj += told.energy_uj
            if later is None:
                del self._runs[zone]
            else:
                self._runs[zone] = later
        zone = min(modules, key=lambda zone: zone.id)
        return replace(
            told,
            zone=zone,
            start_ns=Nanoseconds(start_ns),
            end_ns=Nanoseconds(end_ns),
            energy_uj=Microjoules(energy_uj),
        )


def _joined(run: Interval | None, interval: Interval) -> Interval:
    """One interval of both, where the second follows the first; else the second."""
    if run is None or run.end_ns != interval.start_ns:
        return interval
    energy_uj = Microjoules(run.energy_uj + interval.energy_uj)
    return replace(interval, start_ns=run.start_ns, energy_uj=energy_uj)


def _cut(run: Interval, at_ns: int) -> tuple[Interval, Interval | None]:
    """What is before an instant, and after it; energy in proportion to time, exact in the sum."""
    if at_ns >= run.end_ns:
        return run, None
    upto_ns = max(at_ns - run.start_ns, 0)
    energy_uj = run.energy_uj * upto_ns // (run.end_ns - run.start_ns)
    at = Nanoseconds(run.start_ns + upto_ns)
    return (
        replace(run, end_ns=at, energy_uj=Microjoules(energy_uj)),
        replace(run, start_ns=at, energy_uj=Microjoules(run.energy_uj - energy_uj)),
    )
