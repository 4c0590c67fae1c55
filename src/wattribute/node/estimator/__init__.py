"""Estimate power with an error band from a machine's identity and load, without any I/O."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from wattribute.core.records import EstimatorInfo, Load, Machine, Power
from wattribute.node.estimator.calibration import Measured


class Estimator(Protocol):
    """A power model."""

    name: str
    """Name and version of the model, as in the metrics."""

    def predict(self, machine: Machine, load: Load) -> Mapping[str, Power]:
        """Return the power by component (``cpu``, ``dram``, ``other``)."""
        ...

    def explain(self, machine: Machine) -> EstimatorInfo:
        """Describe the basis of the estimates for this machine."""
        ...

    def calibrated(self, measured: Sequence[Measured]) -> "Estimator":
        """Return a copy that is also corrected by these readings of the machine."""
        ...
