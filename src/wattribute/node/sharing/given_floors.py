"""The floor as the settings have it: who pays it, and how large it is before it was measured."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from wattribute.core.errors import ConfigInvalid
from wattribute.core.records import Load, Machine, Zone
from wattribute.core.units import Nanoseconds, microwatts
from wattribute.node.estimator import Estimator

_IDLE: Final = Load(Nanoseconds(0), 0.0)


def floor_policy(idle_policy: str, *, kubernetes: bool = False) -> str:
    """Return the floor policy of a setting.

    Args:
        idle_policy: ``attribution.idle_policy`` of the settings.
        kubernetes: a Kubernetes source tells of reservations, so ``auto`` is ``reserved``;
            without one ``auto`` is ``none``.
    """
    if idle_policy == "auto":
        return "reserved" if kubernetes else "none"
    return idle_policy


def given_floors(
    idle_watts: dict[str, float], zones: tuple[Zone, ...]
) -> Callable[[Zone], int | None]:
    """Return what tells the floor that the settings give for a zone, by its name or by its kind.

    Args:
        idle_watts: ``attribution.idle_watts`` of the settings.
        zones: the zones that are known now.

    Raises:
        ConfigInvalid: a floor is given for a zone that is not there.
    """
    # A BMC may not have answered yet: then its zones come later.
    kinds = {zone.kind for zone in zones} | {"other", "platform"}
    names = kinds | {zone.name for zone in zones}
    if unknown := sorted(idle_watts.keys() - names):
        raise ConfigInvalid(
            f"attribution.idle_watts: no zone {unknown[0]!r}; this machine has {sorted(names)}"
        )

    def given_uw(zone: Zone) -> int | None:
        power_w = idle_watts.get(zone.name, idle_watts.get(zone.kind))
        return None if power_w is None else microwatts(power_w)

    return given_uw


def model_floors(
    estimator: Estimator, machine: Machine, zones: tuple[Zone, ...]
) -> Callable[[Zone], int | None]:
    """Return what tells the idle power that a model expects of a metered zone.

    That is the zone's part of its component's. A meter in a guest shows whole packages, not the
    guest's share of its host: the machine is taken for what it shows of itself.

    Args:
        estimator: the model.
        machine: what is known of this machine.
        zones: the zones that are known now.
    """
    powers = estimator.predict(replace(machine, hypervisor=""), _IDLE)

    def prior_uw(zone: Zone) -> int | None:
        power = powers.get(zone.component or "")
        if power is None or zone.kind == "other":
            return None
        return power.idle_uw // max(1, sum(sibling.kind == zone.kind for sibling in zones))

    return prior_uw
