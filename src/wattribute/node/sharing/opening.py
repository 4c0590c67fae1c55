"""Settings -> the parts that the loop and ``measure`` share: metering, floors, weights, policy."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from wattribute.core.errors import ConfigInvalid
from wattribute.core.records import Load, Machine, Topology, Zone
from wattribute.core.units import microwatts, nanoseconds
from wattribute.node.attribution.weight import CyclesWeight, TimeWeight
from wattribute.node.meter import Meter
from wattribute.node.meter.power_model import open_estimator
from wattribute.node.settings import NodeSettings
from wattribute.node.sharing.metering import Limits, Metering
from wattribute.node.sharing.sharer import Sharer

_SECONDS_PER_DAY: Final = 86_400


def make_metering(settings: NodeSettings, meters: Sequence[Meter]) -> Metering:
    """Metering over open meters, with the limits that the settings set."""
    limits = Limits(
        microwatts(settings.meter.power_max_zone_watts),
        microwatts(settings.meter.power_max_platform_watts),
    )
    return Metering(meters, limits)


def make_sharer(
    settings: NodeSettings,
    machine: Machine,
    topology: Topology,
    meters: Sequence[Meter],
    activity: str,
) -> Sharer:
    """A sharer with the floors that the settings give and the model expects.

    Raises:
        ConfigInvalid: a floor is given for a zone that is not there.
    """
    zones = tuple(zone for meter in meters for zone in meter.zones)
    counted = activity == "cycles"
    return Sharer(
        topology,
        CyclesWeight(settings.activity.corun_weight) if counted else TimeWeight(),
        _given(settings.attribution.idle_watts, zones),
        _prior(settings, machine, zones),
        nanoseconds(settings.attribution.idle_window_days * _SECONDS_PER_DAY),
    )


def floor_policy(settings: NodeSettings, *, kubernetes: bool = False) -> str:
    """``auto`` is ``reserved`` only where a Kubernetes source tells of reservations."""
    policy = settings.attribution.idle_policy
    if policy == "auto":
        return "reserved" if kubernetes else "none"
    return policy


def _given(idle_watts: dict[str, float], zones: tuple[Zone, ...]) -> Callable[[Zone], int | None]:
    """The floor that the settings give for a zone, by its name or by its kind."""
    # A BMC may not have answered yet: then its zones come later.
    kinds = {zone.kind for zone in zones} | {"other", "platform"}
    known = kinds | {f"{zone.kind}-{zone.id}" for zone in zones}
    if unknown := sorted(idle_watts.keys() - known):
        raise ConfigInvalid(
            f"attribution.idle_watts: no zone {unknown[0]!r}; this machine has {sorted(known)}"
        )

    def given_uw(zone: Zone) -> int | None:
        power_w = idle_watts.get(f"{zone.kind}-{zone.id}", idle_watts.get(zone.kind))
        return None if power_w is None else microwatts(power_w)

    return given_uw


def _prior(
    settings: NodeSettings, machine: Machine, zones: tuple[Zone, ...]
) -> Callable[[Zone], int | None]:
    """The idle power that the estimator expects of a metered zone: its part of its component's.

    A meter in a guest shows whole packages, not the guest's share of its host: the machine is taken
    for what it shows of itself.
    """
    idle = Load(nanoseconds(1), 0.0)
    bare = replace(machine, hypervisor="")
    powers = open_estimator(settings, machine).predict(bare, idle)

    def prior_uw(zone: Zone) -> int | None:
        power = powers.get(zone.component or "")
        if power is None or zone.kind == "other":
            return None
        return power.idle_uw // max(1, sum(other.kind == zone.kind for other in zones))

    return prior_uw
