"""Pure: what a machine is and how loaded it is -> watts, with an error band."""

from collections.abc import Mapping
from typing import Protocol

from wattribute.records import Load, Machine, Power


class Estimator(Protocol):
    """A power model."""

    name: str
    """Model's name and version, as metrics show it."""

    def predict(self, machine: Machine, load: Load) -> Mapping[str, Power]:
        """Power by component (``cpu``, ``dram``, ``other``)."""
        ...
