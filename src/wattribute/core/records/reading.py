"""What meters say: zones, readings, and the intervals between them."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from wattribute.core.units import Microjoules, Microwatts, Nanoseconds

COMPONENT_OF_KIND: Final = {"package": "cpu", "dram": "dram", "gpu": "gpu", "other": "other"}
"""The non-overlapping partition of a node's energy. Kinds that are not here overlap
one that is: core and uncore are inside package, platform wraps everything."""


@dataclass(frozen=True, slots=True)
class Zone:
    """A power domain that one meter measures, e.g. package 0 or one GPU."""

    kind: str
    """``package``, ``core``, ``uncore``, ``dram``, ``gpu``, ``platform`` (psys, hwmon/ACPI power
    meters and BMCs), or ``other`` (derived: platform less its parts)."""
    id: str
    """Stable on this node across restarts: ``0``, ``1-0`` (package-die), or a GPU's UUID."""
    source: str
    """The meter's name in the metrics: ``rapl-sysfs``, ``acpi``, ``hwmon``,
    ``trained_power_model``, ..."""
    package: str | None = None
    """The id (in Topology.package_ids) of the package whose CPUs this zone feeds; None when it
    feeds the whole node."""

    @property
    def component(self) -> str | None:
        """cpu, dram, gpu or other; None for a zone that overlaps one of those."""
        return COMPONENT_OF_KIND.get(self.kind)


@dataclass(frozen=True, slots=True)
class Counter:
    """Cumulative energy, as RAPL, NVML and hwmon's energy*_input give it."""

    energy_uj: Microjoules
    wraps_at_uj: Microjoules | None
    """The counter restarts from 0 after this value; None when it does not wrap."""


@dataclass(frozen=True, slots=True)
class Gauge:
    """Power, as hwmon and Redfish give it."""

    power_uw: Microwatts
    averaged: bool = False
    """True: a mean over the meter's own window (a rectangle when integrated). False: the power at
    that instant (a trapezoid with the reading before)."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """Mean power since the reading before, by a model."""

    idle_uw: Microwatts
    dynamic_uw: Microwatts
    low_uw: Microwatts
    high_uw: Microwatts
    """The band that holds the true power (idle + dynamic) in 90 of 100 cases."""
    basis: str
    """What the model knew of this machine: ``cpu``, ``microarchitecture``, ``class``."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What one meter said of one zone at one instant."""

    zone: Zone
    at_ns: Nanoseconds
    """On the monotonic clock: the tick's. An earlier tick's: the meter has not moved since."""
    value: Counter | Gauge | Estimate


class Origin(StrEnum):
    """How an interval's energy is known."""

    MEASURED = "measured"
    """The difference of two readings of an energy counter."""
    INTEGRATED = "integrated"
    """Power readings, integrated over time."""
    ESTIMATED = "estimated"
    """A model's word."""


@dataclass(frozen=True, slots=True)
class Interval:
    """Energy that one zone used in ``[start_ns, end_ns)``."""

    zone: Zone
    start_ns: Nanoseconds
    end_ns: Nanoseconds
    energy_uj: Microjoules
    origin: Origin
    floor_uj: Microjoules | None = None
    """The part that a model calls idle; None: the floor must be learned or given."""
    low_uj: Microjoules | None = None
    high_uj: Microjoules | None = None
    """The band around an estimate; None for what was measured."""
