"""Meters -> intervals: the last reading of every zone, and what was wrong with it."""

from collections import Counter as Tally
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from wattribute.core.errors import MeterError, MeterGone
from wattribute.core.records import (
    Counter,
    Gauge,
    Interval,
    MeterHealth,
    Reading,
    Zone,
)
from wattribute.core.units import (
    NANOSECONDS_PER_SECOND,
    Microwatts,
    Nanoseconds,
    energy_at,
    nanoseconds,
)
from wattribute.node.attribution.interval import interval_between
from wattribute.node.meter import Meter

DOWN_AFTER = 3
"""Ticks that a zone may fail before its series end (design section 9, rule 7)."""
_LONGEST_GAP_NS = nanoseconds(300)
"""Between two readings of power that lie further apart nobody knows what was drawn."""
_LATE_POWER_FACTOR = 2
"""Over a late interval, more than this many times the highest power seen so far is not assumed."""

_WRAP_POWER_FACTOR = 10
"""A counter that fell has wrapped if that means at most so many times the highest power seen so
far; else it was reset. What is possible at all says too little: at 50 kW a platform's counter of
262 kJ could have passed nearly all of its range in 5 s, and every reset would be a wrap."""


@dataclass(frozen=True, slots=True)
class Limits:
    """More power than this is physically impossible, and the interval is dropped."""

    zone_uw: Microwatts
    """For a package, DRAM, GPU or part of one."""
    platform_uw: Microwatts

    def of(self, zone: Zone) -> Microwatts:
        """The limit that holds for ``zone``."""
        return self.platform_uw if zone.kind in ("platform", "other") else self.zone_uw


class Metering:
    """Reads all meters at one instant and remembers what is needed for the next."""

    def __init__(self, meters: Iterable[Meter], limits: Limits) -> None:
        """Take over open meters; ``close`` closes them."""
        self._meters = list(meters)
        self.limits = limits
        self._last: dict[Zone, Reading] = {}
        self._failing: dict[Zone, int] = {}
        self._unmoved: set[Zone] = set()
        self._power_seen_uw: dict[Zone, int] = {}
        self._failures: Tally[str] = Tally()
        self._gone: dict[str, str] = {}
        self._message: dict[str, str] = {}
        self.rejected: Tally[str] = Tally()
        """Intervals that were dropped, by reason."""

    @property
    def zones(self) -> tuple[Zone, ...]:
        """The zones that the meters know now."""
        return tuple(zone for meter in self._meters for zone in meter.zones)

    @property
    def zones_read(self) -> tuple[Zone, ...]:
        """The zones that were read at least once."""
        return tuple(self._failing)

    @property
    def last_readings(self) -> Mapping[Zone, Reading]:
        """The last good reading of every zone."""
        return self._last

    @property
    def power_seen_uw(self) -> Mapping[Zone, int]:
        """The highest mean power of an interval of every zone."""
        return self._power_seen_uw

    def resume(self, readings: Sequence[Reading], power_seen_uw: Mapping[Zone, int]) -> None:
        """Go on from the last readings of an earlier run of the agent in this boot.

        Those of zones that no meter has now (the settings were changed) are left out, and so is
        a platform meter that was behind: what its parts used since is booked, and not known
        any more.

        Args:
            readings: the last one of each zone.
            power_seen_uw: the highest mean power of an interval of a zone, where it is known.
        """
        zones_now = set(self.zones)
        newest_ns = max((reading.at_ns for reading in readings), default=0)
        for reading in readings:
            zone = reading.zone
            behind = zone.kind == "platform" and reading.at_ns < newest_ns
            if zone in zones_now and not behind:
                self._last[zone] = reading
                self._failing[zone] = 0
                if power_seen_uw.get(zone):
                    self._power_seen_uw[zone] = power_seen_uw[zone]

    def up(self) -> frozenset[Zone]:
        """Zones that answer, and the rest of each platform that does."""
        up = {zone for zone in self._failing if not self.down(zone)}
        rest = (Zone("other", z.id, z.source) for z in up if z.kind == "platform")
        return frozenset((*up, *rest))

    def down(self, zone: Zone) -> bool:
        """Whether the zone has failed so often that its series must end."""
        return self._failing.get(zone, 0) >= DOWN_AFTER

    def failed_now(self) -> tuple[Zone, ...]:
        """Zones that gave nothing new in the last read, and will tell what they used if they do."""
        return tuple(
            zone
            for zone, count in self._failing.items()
            if (count or zone in self._unmoved) and zone in self._last
        )

    def read(self, now_ns: Nanoseconds, *, planned_ns: int | None = None) -> list[Interval]:
        """Read every meter; an interval for each zone that was read before.

        Args:
            now_ns: the instant, on the monotonic clock.
            planned_ns: in a longer interval (a late tick, a zone that came back, the agent
                restarted) a counter may have wrapped twice; None: in none.
        """
        intervals = []
        zones_seen = set()
        for reading in self._readings(now_ns):
            zone = reading.zone
            zones_seen.add(zone)
            before = self._last.get(zone)
            self._failing[zone] = 0
            if reading.at_ns < now_ns:
                self._unmoved.add(zone)
                continue
            self._unmoved.discard(zone)
            self._last[zone] = reading
            if before is None:
                continue
            interval = self._interval(before, reading, planned_ns)
            if isinstance(interval, Interval):
                intervals.append(interval)
            else:
                self.rejected[interval] += 1
        for zone in self._failing.keys() - zones_seen:
            self._failing[zone] += 1
            self.rejected["unreadable"] += 1
        return intervals

    def components_down(self) -> frozenset[str]:
        """Return the components all of whose zones are down."""
        measured = [zone for zone in self._failing if zone.component]
        up = {zone.component for zone in measured if not self.down(zone)}
        return frozenset(z.component for z in measured if z.component and z.component not in up)

    def forget(self, components: Collection[str]) -> None:
        """Drop the last readings of components that a model estimates now.

        What their zones count meanwhile is never booked.
        """
        for zone in self._failing:
            if zone.component in components and zone in self._last:
                del self._last[zone]
                self.rejected["estimated"] += 1

    def reject_suspend(self, intervals: Sequence[Interval]) -> None:
        """Count what lies across a suspend, and let zones that were not read begin anew."""
        silent = self.failed_now()
        for zone in silent:
            del self._last[zone]
        self.rejected["suspend"] += len(intervals) + len(silent)

    def health(self) -> tuple[MeterHealth, ...]:
        """One entry per meter."""
        return tuple(
            MeterHealth(
                name=meter.name,
                up=meter.name not in self._gone
                and any(not self.down(zone) for zone in meter.zones),
                failures=self._failures[meter.name],
                message=self._message.get(meter.name, ""),
            )
            for meter in self._meters
        )

    def close(self) -> None:
        """Close all meters."""
        for meter in self._meters:
            meter.close()

    def _readings(self, now_ns: Nanoseconds) -> Iterable[Reading]:
        for meter in self._meters:
            if meter.name in self._gone:
                continue
            try:
                readings = list(meter.read(now_ns))
            except MeterError as error:
                self._failures[meter.name] += 1
                self._message[meter.name] = str(error)
                if isinstance(error, MeterGone):
                    self._gone[meter.name] = str(error)
                    meter.close()
                continue
            self._failures[meter.name] += len(meter.problems)
            self._message[meter.name] = "; ".join(meter.problems)
            yield from readings

    def _interval(self, before: Reading, after: Reading, planned_ns: int | None) -> Interval | str:
        zone, elapsed_ns = after.zone, after.at_ns - before.at_ns
        if isinstance(after.value, Gauge) and elapsed_ns > _LONGEST_GAP_NS:
            return "late"
        if planned_ns is not None and elapsed_ns > planned_ns:
            most_uw: int = self.limits.of(zone)
            if zone in self._power_seen_uw:
                most_uw = min(most_uw, _LATE_POWER_FACTOR * self._power_seen_uw[zone])
            if _may_have_wrapped_twice(after, elapsed_ns, most_uw):
                return "late"
        most = self._power_max_uw(before, after)
        interval = interval_between(before, after, power_max_uw=most)
        if isinstance(interval, Interval):
            power_uw = interval.energy_uj * NANOSECONDS_PER_SECOND // elapsed_ns
            self._power_seen_uw[zone] = max(power_uw, self._power_seen_uw.get(zone, 0))
            return interval
        return interval.reason

    def _power_max_uw(self, before: Reading, after: Reading) -> Microwatts:
        """What the zone can have drawn between two readings, at most."""
        limit = self.limits.of(after.zone)
        match before.value, after.value:
            case Counter() as first, Counter() as second if second.energy_uj < first.energy_uj:
                seen_uw = self._power_seen_uw.get(after.zone, limit)
                return Microwatts(min(limit, _WRAP_POWER_FACTOR * seen_uw))
        return limit


def _may_have_wrapped_twice(after: Reading, elapsed_ns: int, power_uw: int) -> bool:
    """Whether a counter can have passed its whole range at this power."""
    value = after.value
    if not isinstance(value, Counter) or value.wraps_at_uj is None:
        return False
    return energy_at(power_uw, elapsed_ns) >= value.wraps_at_uj
