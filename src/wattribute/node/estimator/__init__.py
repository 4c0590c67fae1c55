"""Pure: what a machine is and how loaded it is -> watts, with an error band."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from wattribute.core.records import EstimatorInfo, Load, Machine, Power
from wattribute.node.estimator.calibration import Measured


class Estimator(Protocol):
    """A power model."""

    name: str
    """Model's name and version, as metrics show it."""

    def predict(self, machine: Machine, load: Load) -> Mapping[str, Power]:
        """Power by component (``cpu``, ``dram``, ``other``)."""
        ...

    def explain(self, machine: Machine) -> EstimatorInfo:
        """What the estimates of this machine rest on."""
        ...

    def calibrated(self, measured: Sequence[Measured]) -> "Estimator":
        """The same estimator, moved by these readings of the machine too."""
        ...
