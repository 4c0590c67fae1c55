"""The output of meters: zones, readings, and the intervals between readings."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from wattribute.core.units import Microjoules, Microwatts, Nanoseconds

COMPONENT_OF_KIND: Final = {"package": "cpu", "dram": "dram", "gpu": "gpu", "other": "other"}
"""The kinds of zones that together are a node's energy, without overlap, and their components.
Other kinds overlap these: core and uncore are parts of package, and platform contains all."""


@dataclass(frozen=True, slots=True)
class Zone:
    """A power domain that one meter measures, e.g. package 0 or one GPU."""

    kind: str
    """``package``, ``core``, ``uncore``, ``dram``, ``gpu``, ``platform`` (psys, hwmon/ACPI power
    meters and BMCs), or ``other`` (derived: platform less its parts)."""
    id: str
    """An id that stays the same across restarts: ``0``, ``1-0`` (package-die), or a GPU's UUID."""
    source: str
    """The meter's name in the metrics: ``rapl-sysfs``, ``acpi``, ``hwmon``,
    ``trained_power_model``, ..."""
    package: str | None = None
    """The id (in Topology.package_ids) of the package whose CPUs this zone measures; None if it
    measures the whole node."""

    @property
    def name(self) -> str:
        """The name for people and settings: ``package-0``, or the kind alone where it has no id."""
        return f"{self.kind}-{self.id}" if self.id else self.kind

    @property
    def component(self) -> str | None:
        """The component: cpu, dram, gpu or other; None for a zone that overlaps one of those."""
        return COMPONENT_OF_KIND.get(self.kind)


@dataclass(frozen=True, slots=True)
class Counter:
    """A cumulative energy, as RAPL, NVML and hwmon's energy*_input give it."""

    energy_uj: Microjoules
    wraps_at_uj: Microjoules | None
    """The largest value, after which the counter shows 0; None if it does not wrap."""


@dataclass(frozen=True, slots=True)
class Gauge:
    """A power, as hwmon and Redfish give it."""

    power_uw: Microwatts
    averaged: bool = False
    """Whether the power is a mean over the meter's own window, which is integrated as a rectangle.
    Otherwise it is the power at that instant, integrated as a trapezoid with the reading before."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A meter's value for a zone at an instant."""

    zone: Zone
    at_ns: Nanoseconds
    """The monotonic time of the tick, or of an earlier tick if the meter has not changed since."""
    value: Counter | Gauge


class Origin(StrEnum):
    """The way in which an interval's energy was determined."""

    MEASURED = "measured"
    """The difference of two readings of an energy counter."""
    INTEGRATED = "integrated"
    """The integral of power readings over time."""
    ESTIMATED = "estimated"
    """The estimate of a model."""


@dataclass(frozen=True, slots=True)
class Interval:
    """The energy of a zone in ``[start_ns, end_ns)``."""

    zone: Zone
    start_ns: Nanoseconds
    end_ns: Nanoseconds
    energy_uj: Microjoules
    origin: Origin
    floor_uj: Microjoules | None = None
    """The part that a model calls idle; None if the floor must be learned or set."""
    low_uj: Microjoules | None = None
    high_uj: Microjoules | None = None
    """The upper end of the band of an estimate; None for measured energy."""
