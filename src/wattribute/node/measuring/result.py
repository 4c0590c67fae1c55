"""What a piece of work used."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from wattribute.core.records import Attribution, Origin
from wattribute.core.units import MICROJOULES_PER_KWH, joules

_WORST_FIRST: Final = (Origin.ESTIMATED, Origin.INTEGRATED, Origin.MEASURED)


@dataclass(frozen=True, slots=True)
class ComponentEnergy:
    """Energy in one component (cpu, dram, gpu, other)."""

    dynamic_uj: int = 0
    idle_uj: int = 0
    """The part of the machine's floor that the policy gives to the work."""
    origin: Origin = Origin.MEASURED
    low_uj: int = 0
    high_uj: int = 0
    """Band of dynamic + idle; where all was measured, both are that."""
    sources: tuple[str, ...] = ()
    """Names of the meters (``rapl-sysfs``, ``trained_power_model``, ...), sorted."""

    def plus(self, attribution: Attribution) -> "ComponentEnergy":
        """Add the first row (the work's) of one attribution."""
        interval = attribution.interval
        dynamic_uj = int(attribution.dynamic_uj[0])
        idle_uj = int(attribution.floor_uj[0]) if len(attribution.floor_uj) else 0
        part = (dynamic_uj + idle_uj) / max(interval.energy_uj, 1)
        low_uj = interval.energy_uj if interval.low_uj is None else interval.low_uj
        high_uj = interval.energy_uj if interval.high_uj is None else interval.high_uj
        return ComponentEnergy(
            self.dynamic_uj + dynamic_uj,
            self.idle_uj + idle_uj,
            worst(self.origin, interval.origin),
            self.low_uj + round(low_uj * part),
            self.high_uj + round(high_uj * part),
            tuple(sorted({*self.sources, interval.zone.source})),
        )


def worst(*origins: Origin) -> Origin:
    """The least certain of several."""
    return next((origin for origin in _WORST_FIRST if origin in origins), Origin.MEASURED)


@dataclass(frozen=True, slots=True)
class Measurement:
    """What a piece of work used, and how that is known."""

    command: tuple[str, ...]
    """Empty for a block of Python."""
    exit_code: int
    """Of the command; -n: ended by signal n. 0 for a block."""
    elapsed_ns: int
    cpu_ns: int
    """CPU time of the work, children included."""
    by_component: Mapping[str, ComponentEnergy]
    g_per_kwh: float | None
    complete: bool
    """False: some of its processes could not be followed to their end."""
    notes: tuple[str, ...]
    power_peak_uw: int = 0
    """Highest mean power over one tick of 0.1 s or more, without what a platform meter shows beyond
    the other meters (its windows are longer); 0: not known."""
    others_busy: float = 0.0
    """Part of the machine's CPU time that others had, steal included, 0 to 1; /proc/stat's steps
    of 10 ms make it rough in short runs."""
    counters: Mapping[str, int] = field(default_factory=dict)
    """``cycles``, ``instructions``, ``cache_misses`` of the work, where the hardware counts them
    and the source of activity is ``cycles``; else empty."""

    @property
    def energy_uj(self) -> int:
        """Dynamic energy and the work's part of the floor, over all components."""
        return sum(part.dynamic_uj + part.idle_uj for part in self.by_component.values())

    @property
    def joules(self) -> float:
        """The same in joules."""
        return joules(self.energy_uj)

    @property
    def low_joules(self) -> float:
        """Lower end of the band."""
        return joules(sum(part.low_uj for part in self.by_component.values()))

    @property
    def high_joules(self) -> float:
        """Upper end of the band."""
        return joules(sum(part.high_uj for part in self.by_component.values()))

    @property
    def origin(self) -> Origin:
        """The least certain of the components'."""
        return worst(*(part.origin for part in self.by_component.values()))

    @property
    def grams_co2e(self) -> float | None:
        """Emissions, where the carbon intensity of the electricity was told."""
        if self.g_per_kwh is None:
            return None
        return self.energy_uj * self.g_per_kwh / MICROJOULES_PER_KWH
