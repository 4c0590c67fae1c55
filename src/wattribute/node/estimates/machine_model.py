"""The power model of this machine, as it is known by now.

It is corrected by meters that cover a part of the machine, replaced by newer models from a
server, and told the instance type by the cluster.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final, Protocol

from wattribute.core.records import EstimatorInfo, Load, Machine, Power
from wattribute.core.units import Nanoseconds, watts
from wattribute.node.estimator import Estimator
from wattribute.node.estimator.observed import Observations

_IDLE: Final = Load(Nanoseconds(0), 0.0)


class NewerModels(Protocol):
    """Where newer models come from; a thread of its own."""

    def news(self) -> Estimator | None:
        """Return the newest model, once; None if there is none since the call before.

        Never waits.
        """
        ...

    def close(self) -> None:
        """Stop asking for newer models."""
        ...


class MachineModel:
    """Says what each component of this machine draws under a load."""

    def __init__(self, estimator: Estimator, machine: Machine) -> None:
        """Take a model, and what is known of the machine."""
        self._shipped = self._estimator = estimator
        self._machine = machine
        self._observed = Observations()
        self._updates: NewerModels | None = None

    @property
    def name(self) -> str:
        """The model's name and version."""
        return self._estimator.name

    @property
    def machine(self) -> Machine:
        """What is known of the machine by now."""
        return self._machine

    @property
    def info(self) -> EstimatorInfo:
        """What the estimates rest on."""
        return self._estimator.explain(self._machine)

    def components(self) -> frozenset[str]:
        """Return the components that the model knows of this machine."""
        return frozenset(self._estimator.predict(self._machine, _IDLE))

    def powers(self, load: Load) -> Mapping[str, Power]:
        """Return the power of each component under a load, by the newest model."""
        if self._updates is not None and (newer := self._updates.news()) is not None:
            self._shipped = newer
            readings = self._observed.readings()
            self._estimator = newer.calibrated(readings) if readings else newer
        return self._estimator.predict(self._machine, load)

    def follow(self, updates: NewerModels) -> None:
        """Take newer models from ``updates``, and close it in the end."""
        self._updates = updates

    def adopt_instance_type(self, instance_type: str) -> None:
        """Take the cluster's word for what machine this is; "" is no word."""
        if instance_type and instance_type != self._machine.instance_type:
            self._machine = replace(self._machine, instance_type=instance_type)

    def observe(self, powers_uw: Mapping[str, int], utilisation: float) -> None:
        """Learn from what meters measured in one tick.

        Args:
            powers_uw: mean power in microwatts by scope: ``pkg`` (all packages), ``dram`` or
                ``wall``.
            utilisation: of the machine in the same tick, 0 to 1.
        """
        for scope, power_uw in powers_uw.items():
            self._observed.add(scope, utilisation, watts(power_uw))
        if news := self._observed.news():
            self._estimator = self._shipped.calibrated(news)

    def describe(self) -> str:
        """Return one line for ``doctor``: the model, the CPU, and why the band is wide."""
        info = self.info
        kind = f"({info.microarchitecture})" if info.microarchitecture else ""
        cpu = f"{info.cpu} {kind}".strip()
        parts = [
            f"{info.model} {info.version}: {cpu or 'an unknown CPU'}",
            f"{info.share:.1%} of its host" if self._machine.hypervisor else "",
            info.instance_type,
            "calibrated" if info.calibrated else "",
            f"wide band, because: {', '.join(info.why_wide)}" if info.why_wide else "",
        ]
        return "; ".join(part for part in parts if part)

    def close(self) -> None:
        """Ask for no more models."""
        if self._updates is not None:
            self._updates.close()
