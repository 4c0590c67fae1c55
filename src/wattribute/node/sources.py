"""Settings -> everything that measures: the one place where meters and models are opened."""

from dataclasses import dataclass
from pathlib import Path

from wattribute.core.records import Machine, Topology
from wattribute.core.units import DAY_S, microwatts, nanoseconds
from wattribute.node.attribution.weight import CyclesWeight, TimeWeight, Weight
from wattribute.node.estimates.choose import choose_estimated
from wattribute.node.estimates.machine_model import MachineModel
from wattribute.node.estimates.power_model import open_estimator
from wattribute.node.estimates.weight_priors import load_priors
from wattribute.node.findings import SourceFinding
from wattribute.node.meter import GpuMeter
from wattribute.node.meter.choose import PATIENCE_S, choose_meters
from wattribute.node.meter.machine import read_machine, read_topology
from wattribute.node.meter.rapl import PowerLimits
from wattribute.node.settings import NodeSettings
from wattribute.node.sharing.energy import NodeEnergy
from wattribute.node.sharing.given_floors import given_floors, model_floors
from wattribute.node.sharing.metering import Limits, Metering
from wattribute.node.sharing.sharer import Learning, Sharer


@dataclass(frozen=True, slots=True)
class Sources:
    """Where a node's energy comes from, and what shares it among those who ran."""

    machine: Machine
    topology: Topology
    energy: NodeEnergy
    sharer: Sharer
    gpus: tuple[GpuMeter, ...] = ()
    """The meters in ``energy`` that also know who used the GPUs."""
    findings: tuple[SourceFinding, ...] = ()

    def close(self) -> None:
        """Close all meters, and ask for no more models."""
        self.energy.close()


def open_sources(
    settings: NodeSettings, *, patience_s: float = PATIENCE_S, follow_models: bool = False
) -> Sources:
    """Open the meters, and the model for what no meter measures.

    Who ran is another question: see ``activity.choose``.

    Args:
        settings: which meters, which model, which floors.
        patience_s: how long a meter in the background may take for its first answer, in seconds.
        follow_models: take newer models from the settings' model server, if it names one.

    Raises:
        MeterError: a meter that was named cannot be used.
        ConfigInvalid: the settings are wrong.
    """
    procfs, sysfs = Path(settings.activity.procfs), Path(settings.meter.sysfs)
    machine, topology = read_machine(procfs, sysfs), read_topology(sysfs, procfs)
    meters = choose_meters(settings, patience_s=patience_s)
    metering = Metering(meters.meters, _limits(settings))
    try:
        estimator = open_estimator(settings, machine)
        model = MachineModel(estimator, machine)
        estimated, finding = choose_estimated(settings.meter.use, meters.covered, model)
        energy = NodeEnergy(metering, model, estimated)
        sharer = Sharer(
            topology,
            _weight(settings),
            given_floors(settings.attribution.idle_watts, energy.zones),
            model_floors(estimator, machine, energy.zones),
            nanoseconds(settings.attribution.idle_window_days * DAY_S),
            learning=Learning(
                settings.attribution.weight,
                load_priors(settings, machine),
                PowerLimits(sysfs).limit_uw,
            ),
        )
        if follow_models and settings.estimator.model_server and energy.estimates:
            from wattribute.node.estimates.model_updates import (  # noqa: PLC0415 - 2.5 MB, for few
                open_updates,
            )

            model.follow(open_updates(settings, model))
    except BaseException:
        metering.close()
        raise
    return Sources(machine, topology, energy, sharer, meters.gpus, (*meters.findings, finding))


def _weight(settings: NodeSettings) -> Weight:
    """Return what a second costs where nothing is learned: cycles where they are counted."""
    if settings.attribution.weight == "time":
        return TimeWeight()
    return CyclesWeight(settings.activity.corun_weight)


def _limits(settings: NodeSettings) -> Limits:
    return Limits(
        microwatts(settings.meter.power_max_zone_watts),
        microwatts(settings.meter.power_max_platform_watts),
    )
