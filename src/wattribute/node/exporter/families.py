"""The table: every metric family that the agent can show, and where.

The exposition, docs/reference/metrics.md and the golden tests all come from it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from wattribute.node.exporter import health, kepler_011, kepler_09, own
from wattribute.node.exporter.family import Family

Generation = Literal["kepler-0.9", "kepler-0.11", "none"]


@dataclass(frozen=True, slots=True)
class Group:
    """Families that are chosen together."""

    title: str
    shown: str
    """Where and when, in words."""
    families: tuple[Family, ...]


_09: Final = "`/metrics` with `--metrics kepler-0.9` (the default)"
_011: Final = "`/metrics/kepler-0.11`; `/metrics` with `--metrics kepler-0.11`"
_PROCESSES: Final = ", and `exporter.processes: true`"

GROUPS: Final = (
    Group("Wattribute: energy", "`/metrics`, always", own.FAMILIES),
    Group("Wattribute: health", "`/metrics`, always, also when stale", health.FAMILIES),
    Group("Kepler 0.9: containers", _09, kepler_09.CONTAINERS),
    Group("Kepler 0.9: node", _09, kepler_09.NODE),
    Group("Kepler 0.9: virtual machines", _09, kepler_09.VMS),
    Group("Kepler 0.9: processes", _09 + _PROCESSES, kepler_09.PROCESSES),
    Group("Kepler 0.11: node", _011, (kepler_011.BUILD_INFO, *kepler_011.NODE)),
    Group("Kepler 0.11: containers", _011, kepler_011.CONTAINERS),
    Group("Kepler 0.11: pods", _011, kepler_011.PODS),
    Group("Kepler 0.11: virtual machines", _011, kepler_011.VMS),
    Group("Kepler 0.11: processes", _011 + _PROCESSES, kepler_011.PROCESSES),
)


def kepler_families(generation: Generation, *, processes: bool) -> Sequence[Family]:
    """One generation of Kepler's families; never both on one path, their names collide."""
    if generation == "kepler-0.9":
        found = (*kepler_09.CONTAINERS, *kepler_09.NODE, *kepler_09.VMS)
        return (*found, *kepler_09.PROCESSES) if processes else found
    if generation == "kepler-0.11":
        found = (
            kepler_011.BUILD_INFO,
            *kepler_011.NODE,
            *kepler_011.CONTAINERS,
            *kepler_011.PODS,
            *kepler_011.VMS,
        )
        return (*found, *kepler_011.PROCESSES) if processes else found
    return ()


def metrics_families(generation: Generation, *, processes: bool) -> Sequence[Family]:
    """What ``/metrics`` shows."""
    return (*health.FAMILIES, *own.FAMILIES, *kepler_families(generation, processes=processes))
