"""The energy of all zones: what meters measured, and a model's word for what none did.

A tick reads the meters first. The model is asked after activity was read, because it goes by
how busy the machine was.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from wattribute.core.records import EstimatorInfo, Interval, Load, MeterHealth, Zone
from wattribute.core.units import Nanoseconds, power_of
from wattribute.node.attribution.interval import estimated_interval
from wattribute.node.backends import ESTIMATE
from wattribute.node.estimates.choose import NOTHING_ESTIMATED, EstimatedComponents, zone_of
from wattribute.node.estimates.machine_model import MachineModel
from wattribute.node.sharing.metering import DOWN_AFTER, Metering

_SCOPE_OF_KIND: Final = {"package": "pkg", "dram": "dram", "platform": "wall"}
"""Kind of a measured zone -> scope of the model that it can correct."""
_NOT_WALL: Final = ("redfish", "ipmi", "rapl-sysfs")
"""Platform zones that teach nothing: readings of BMCs are older than the tick, so they belong to
another load than the tick's; psys is the processor's board and not the machine."""

_NO_LOAD: Final = "nobody knows how busy the machine was; it waits"


@dataclass(frozen=True, slots=True)
class _Gap:
    """A time in which no meter measured a component."""

    component: str
    start_ns: Nanoseconds
    end_ns: Nanoseconds


class NodeEnergy:
    """Intervals of all zones; a component whose meters fail is estimated until they are back."""

    def __init__(
        self,
        metering: Metering,
        model: MachineModel,
        estimated: EstimatedComponents = NOTHING_ESTIMATED,
    ) -> None:
        """Take over open meters and a model; ``close`` closes both."""
        self.metering = metering
        self.model = model
        self._missing = frozenset(estimated.missing)
        self._standby = frozenset(estimated.standby)
        self._zones = {c: zone_of(c) for c in (*estimated.missing, *estimated.standby)}
        self._stands_in: frozenset[str] = frozenset()
        self._gaps: list[_Gap] = []
        self._last_ns: Nanoseconds | None = None
        self._unestimated_ticks = 0
        self._failures = 0

    @property
    def zones(self) -> tuple[Zone, ...]:
        """The zones that are measured, then those that are estimated now."""
        return (*self.metering.zones, *self._estimated_zones())

    @property
    def estimates(self) -> bool:
        """Whether a model fills in for a component, or stands by for one."""
        return bool(self._zones)

    @property
    def estimator(self) -> EstimatorInfo | None:
        """What the estimates rest on; None: nothing is estimated now."""
        return self.model.info if self._estimated_zones() else None

    def read(self, now_ns: Nanoseconds, *, planned_ns: int | None = None) -> list[Interval]:
        """Read all meters, and note which components none of them measured; see ``estimate``.

        Args:
            now_ns: the instant, on the monotonic clock.
            planned_ns: see ``Metering.read``.
        """
        stands_in = self._standby & self.metering.components_down()
        # From the second tick of an outage on: in the first one the meter may be back, and
        # then it tells what was used since its last reading.
        estimated = stands_in & self._stands_in
        self.metering.forget(estimated)
        self._failures += bool(self._gaps)
        if self._last_ns is not None:
            self._note_gaps(self._missing | estimated, self._last_ns, now_ns)
        self._stands_in, self._last_ns = stands_in, now_ns
        return self.metering.read(now_ns, planned_ns=planned_ns)

    def _note_gaps(
        self, components: Collection[str], start_ns: Nanoseconds, end_ns: Nanoseconds
    ) -> None:
        self._unestimated_ticks += bool(components)
        for component in self._zones.keys() & components:
            before = [g for g in self._gaps if g.component == component and g.end_ns == start_ns]
            for gap in before:  # a tick before, in which activity could not be read
                self._gaps.remove(gap)
            since_ns = before[0].start_ns if before else start_ns
            self._gaps.append(_Gap(component, since_ns, end_ns))

    def estimate(self, load: Load, since_ns: Nanoseconds) -> list[Interval]:
        """Return the intervals of what no meter measured since the last call.

        Args:
            load: of the machine from ``since_ns`` to the last ``read``.
            since_ns: what is before it is not estimated: nobody knows that load.
        """
        gaps, self._gaps = self._gaps, []
        self._unestimated_ticks = 0
        if not gaps:
            return []
        powers = self.model.powers(load)
        intervals = []
        for component, zone in self._zones.items():
            for gap in gaps:
                start_ns = max(gap.start_ns, since_ns)
                if gap.component != component or start_ns >= gap.end_ns:
                    continue
                if component not in powers:  # a newer model, which does not know it
                    self.metering.rejected["unreadable"] += 1
                    continue
                interval = estimated_interval(
                    zone,
                    start_ns,
                    gap.end_ns,
                    powers[component],
                    power_max_uw=self.metering.limits.of(zone),
                )
                if isinstance(interval, Interval):
                    intervals.append(interval)
                else:
                    self.metering.rejected[interval.reason] += 1
        return intervals

    def learn(self, measured: Sequence[Interval], load: Load) -> None:
        """Let meters that cover a part of the machine correct the model.

        Args:
            measured: intervals of one tick.
            load: of the machine in that tick.
        """
        if not self._zones:
            return
        powers_uw: dict[str, int] = {}
        for kind, scope in _SCOPE_OF_KIND.items():
            zones = [zone for zone in self.metering.zones_read if zone.kind == kind]
            parts = [interval for interval in measured if interval.zone in zones]
            whole = bool(parts) and len(parts) == len(zones)
            if kind == "platform":
                whole = whole and len(zones) == 1 and zones[0].source not in _NOT_WALL
            if whole:
                powers_uw[scope] = sum(power_of(i.energy_uj, i.end_ns - i.start_ns) for i in parts)
        if powers_uw:
            self.model.observe(powers_uw, load.utilisation)

    def reject_suspend(self, intervals: Sequence[Interval]) -> None:
        """Count what lies across a suspend, and let zones that were not read begin anew."""
        self.metering.reject_suspend(intervals)
        self.metering.rejected["suspend"] += len(self._gaps)
        self._gaps = []
        self._unestimated_ticks = 0

    def up(self) -> frozenset[Zone]:
        """Return the zones that answer or are estimated, and the rest of each platform."""
        estimated = self._estimated_zones() if self._unestimated_ticks < DOWN_AFTER else ()
        return self.metering.up() | frozenset(estimated)

    def health(self) -> tuple[MeterHealth, ...]:
        """Return one entry per meter, and one for the model while it estimates."""
        if not self._estimated_zones():
            return self.metering.health()
        load_is_known = self._unestimated_ticks == 0
        estimate = MeterHealth(
            name=ESTIMATE,
            up=self._unestimated_ticks < DOWN_AFTER,
            failures=self._failures,
            message="" if load_is_known else f"{ESTIMATE}: {_NO_LOAD}",
        )
        return (*self.metering.health(), estimate)

    def close(self) -> None:
        """Close all meters, and ask for no more models."""
        self.metering.close()
        self.model.close()

    def _estimated_zones(self) -> tuple[Zone, ...]:
        now = self._missing | self._stands_in
        return tuple(zone for component, zone in self._zones.items() if component in now)
