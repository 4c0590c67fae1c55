"""Combine the platform's energy from its best source into windows.

A machine of several modules has one meter per module, and the sum of the meters counts. A
window is complete when every meter covers it, so a meter that misses a tick loses nothing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from wattribute.core.records import Interval, Zone
from wattribute.core.units import Microjoules, Nanoseconds, nanoseconds

_SOURCES: Final = {"redfish": 0, "acpi": 1, "hwmon": 2, "ipmi": 3, "rapl-sysfs": 4}
"""Sources of platform meters, best first. A configured BMC sees the power supplies' input; ACPI and
hwmon update more often than DCMI; psys (rapl-sysfs) covers only the processor's board."""
_SILENT_NS: Final = nanoseconds(300)
"""A meter that was silent for longer than this is not waited for."""


class PlatformWindows:
    """Combines the intervals of platform zones."""

    def __init__(self) -> None:
        """Start without intervals."""
        self._heard_ns: dict[Zone, int] = {}
        """End of each zone's last interval."""
        self._runs: dict[Zone, Interval] = {}
        """Energy of each zone of the best source that is not in a returned window yet."""

    def add(self, intervals: Iterable[Interval]) -> Interval | None:
        """Add a tick's intervals of all zones; return the window that is complete now, if any.

        A window is the intersection of the times that the modules cover. Energy of one module
        in a gap of another module is dropped.
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
        """Return the window that all modules cover; earlier energy is dropped."""
        if not self._runs or len(self._runs) < len(modules):
            return None
        start_ns = max(run.start_ns for run in self._runs.values())
        end_ns = min(run.end_ns for run in self._runs.values())
        if start_ns >= end_ns:
            return None
        energy_uj = 0
        for zone, run in list(self._runs.items()):
            _, rest = _cut(run, start_ns)
            covered, later = _cut(rest or run, end_ns)
            energy_uj += covered.energy_uj
            if later is None:
                del self._runs[zone]
            else:
                self._runs[zone] = later
        zone = min(modules, key=lambda zone: zone.id)
        return replace(
            covered,
            zone=zone,
            start_ns=Nanoseconds(start_ns),
            end_ns=Nanoseconds(end_ns),
            energy_uj=Microjoules(energy_uj),
        )


def _joined(run: Interval | None, interval: Interval) -> Interval:
    """Join two intervals if the second follows the first; else return the second."""
    if run is None or run.end_ns != interval.start_ns:
        return interval
    energy_uj = Microjoules(run.energy_uj + interval.energy_uj)
    return replace(interval, start_ns=run.start_ns, energy_uj=energy_uj)


def _cut(run: Interval, at_ns: int) -> tuple[Interval, Interval | None]:
    """Split an interval at an instant; energy is in proportion to time and exact in the sum."""
    if at_ns >= run.end_ns:
        return run, None
    upto_ns = max(at_ns - run.start_ns, 0)
    energy_uj = run.energy_uj * upto_ns // (run.end_ns - run.start_ns)
    at = Nanoseconds(run.start_ns + upto_ns)
    return (
        replace(run, end_ns=at, energy_uj=Microjoules(energy_uj)),
        replace(run, start_ns=at, energy_uj=Microjoules(run.energy_uj - energy_uj)),
    )
