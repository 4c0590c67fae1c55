"""The table: every metric family that the agent can show, and where.

The exposition, docs/reference/metrics.md and the golden tests all come from it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, assert_never

from wattribute.node.exporter import health, own
from wattribute.node.exporter.family import Family
from wattribute.node.exporter.kepler import generation_0_9, generation_0_11, nodes_0_11

Generation = Literal["kepler-0.9", "kepler-0.11", "none"]


@dataclass(frozen=True, slots=True)
class FamilyGroup:
    """Families that are shown together, under a title of docs/reference/metrics.md."""

    title: str
    where: str
    """Where and when, in words."""
    families: tuple[Family, ...]


_09: Final = "`/metrics` with `--metrics kepler-0.9` (the default)"
_011: Final = "`/metrics/kepler-0.11`; `/metrics` with `--metrics kepler-0.11`"
_PROCESSES: Final = ", and `exporter.processes: true`"

GROUPS: Final = (
    FamilyGroup("Wattribute: energy", "`/metrics`, always", own.FAMILIES),
    FamilyGroup("Wattribute: health", "`/metrics`, always, also when stale", health.FAMILIES),
    FamilyGroup("Kepler 0.9: containers", _09, generation_0_9.CONTAINERS),
    FamilyGroup("Kepler 0.9: node", _09, generation_0_9.NODE),
    FamilyGroup("Kepler 0.9: virtual machines", _09, generation_0_9.VMS),
    FamilyGroup("Kepler 0.9: processes", _09 + _PROCESSES, generation_0_9.PROCESSES),
    FamilyGroup("Kepler 0.11: node", _011, (nodes_0_11.BUILD_INFO, *nodes_0_11.NODE)),
    FamilyGroup("Kepler 0.11: containers", _011, generation_0_11.CONTAINERS),
    FamilyGroup("Kepler 0.11: pods", _011, generation_0_11.PODS),
    FamilyGroup("Kepler 0.11: virtual machines", _011, generation_0_11.VMS),
    FamilyGroup("Kepler 0.11: processes", _011 + _PROCESSES, generation_0_11.PROCESSES),
)


def kepler_families(generation: Generation, *, processes: bool) -> Sequence[Family]:
    """Return one generation of Kepler's families; never both on one path, their names collide."""
    match generation:
        case "kepler-0.9":
            return generation_0_9.families(processes=processes)
        case "kepler-0.11":
            return generation_0_11.families(processes=processes)
        case "none":
            return ()
        case _ as never:
            assert_never(never)


def metrics_families(generation: Generation, *, processes: bool) -> Sequence[Family]:
    """Return what ``/metrics`` shows: our own families always, and a view of Kepler's or none."""
    return (*health.FAMILIES, *own.FAMILIES, *kepler_families(generation, processes=processes))
