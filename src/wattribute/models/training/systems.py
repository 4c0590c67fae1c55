"""Rows of one system and scope -> a curve over load."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from wattribute.models.training.hosts import watts_of
from wattribute.models.training.rows import TrainingRow
from wattribute.models.training.wall_fit import LEVELS, Curves
from wattribute.node.estimator.host import Host
from wattribute.node.estimator.wall import Floats

_LEAST_POINTS: Final = 6
_END: Final = 0.02
"""A curve reaches the ends if it has a point this near to 0 and to 1."""
_TUNED: Final = "specpower"


@dataclass(frozen=True, slots=True)
class System:
    """One machine's measured points in one scope, by rising load."""

    system_id: str
    scope: str
    host: Host
    row: TrainingRow
    utilisation: Floats
    watts: Floats
    """Of one machine, where a row was of several."""

    @property
    def whole(self) -> bool:
        """Whether the points span the whole range."""
        ends = self.utilisation[0] <= _END and self.utilisation[-1] >= 1 - _END
        return bool(ends and len(self.watts) >= _LEAST_POINTS)

    @property
    def tuned(self) -> bool:
        """Whether it was set up for a benchmark."""
        return is_tuned(self.row)


def is_tuned(row: TrainingRow) -> bool:
    """Whether the row's machine was set up for a benchmark of energy efficiency."""
    return any(row.text.get(column, "").startswith(_TUNED) for column in ("load_kind", "source"))


def systems_of(rows: Iterable[TrainingRow], host_of: Callable[[TrainingRow], Host]) -> list[System]:
    """Group rows by scope and system, in the order in which these first appear."""
    groups: dict[tuple[str, str], list[TrainingRow]] = defaultdict(list)
    for row in rows:
        groups[row.scope, row.system_id].append(row)
    systems_read = []
    for (scope, system_id), members in groups.items():
        members.sort(key=lambda row: row.utilisation)
        systems_read.append(
            System(
                system_id,
                scope,
                host_of(members[0]),
                members[0],
                np.array([row.utilisation for row in members]),
                np.array([watts_of(row) for row in members]),
            )
        )
    return systems_read


def wall_curves(systems: Sequence[System]) -> tuple[Curves, tuple[System, ...]]:
    """The tuned systems that span the whole range of load, at the model's levels."""
    curve_systems = tuple(s for s in systems if s.scope == "wall" and s.tuned and s.whole)
    log_watts = np.array([np.log(np.interp(LEVELS, s.utilisation, s.watts)) for s in curve_systems])
    return Curves(
        tuple(s.host for s in curve_systems), log_watts.reshape(-1, len(LEVELS))
    ), curve_systems
