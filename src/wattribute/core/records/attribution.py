"""The energy of an interval, split among its consumers."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wattribute.core.errors import Unbalanced
from wattribute.core.records.reading import Interval
from wattribute.core.units import Microjoules


@dataclass(frozen=True, slots=True, eq=False)
class Attribution:
    """The energy of an interval, split to the microjoule.

    A split that does not add up cannot be built:

    ``sum(dynamic_uj) + sum(floor_uj) + idle_uj + unattributed_uj == interval.energy_uj``
    """

    interval: Interval
    dynamic_uj: NDArray[np.int64]
    """The energy above the floor, one element per row of use (processes and residual rows)."""
    floor_uj: NDArray[np.int64]
    """The part of the floor that each container pays under the policy, one element per container
    row; empty if nobody pays."""
    idle_uj: Microjoules
    """The part of the floor that no container pays."""
    unattributed_uj: Microjoules
    """The energy above the floor while nobody ran."""

    def __post_init__(self) -> None:
        total = (
            int(self.dynamic_uj.sum()) + int(self.floor_uj.sum())
            + self.idle_uj + self.unattributed_uj
        )  # fmt: skip
        negative = (
            self.idle_uj < 0
            or self.unattributed_uj < 0
            or bool((self.dynamic_uj < 0).any())
            or bool((self.floor_uj < 0).any())
        )
        if negative or total != self.interval.energy_uj:
            raise Unbalanced(
                f"{self.interval.zone}: shares of {total} uJ"
                f"{', some negative,' if negative else ''} for {self.interval.energy_uj} uJ"
            )
        self.dynamic_uj.flags.writeable = False
        self.floor_uj.flags.writeable = False
