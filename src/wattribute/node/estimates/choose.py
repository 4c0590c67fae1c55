"""Which components are estimated: those that no meter measures, and those whose meter may fail."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from wattribute.core.errors import MeterAbsent
from wattribute.core.records import Zone
from wattribute.node.backends import ESTIMATE
from wattribute.node.estimates.machine_model import MachineModel
from wattribute.node.findings import FindingState, SourceFinding

SOURCE: Final = "trained_power_model"
_KIND_OF_COMPONENT: Final = {"cpu": "package", "dram": "dram", "other": "other"}


@dataclass(frozen=True, slots=True)
class EstimatedComponents:
    """Components that a model fills in, by their zone; in the order in which they are shown."""

    missing: tuple[str, ...] = ()
    """No meter measures them here."""
    standby: tuple[str, ...] = ()
    """Their meter may fail while the agent runs."""


NOTHING_ESTIMATED: Final = EstimatedComponents()


def zone_of(component: str) -> Zone:
    """Return the zone of an estimated component; it is the whole node's."""
    return Zone(_KIND_OF_COMPONENT[component], "0", SOURCE)


def choose_estimated(
    use: Collection[str], covered: Collection[str], model: MachineModel
) -> tuple[EstimatedComponents, SourceFinding]:
    """Choose what is estimated, and say so.

    Args:
        use: ``meter.use`` of the settings.
        covered: components that the chosen meters measure, and ``platform`` if one measures that.
        model: of this machine.

    Raises:
        MeterAbsent: ``estimate`` was named, and there is nothing to estimate.
    """
    is_named = ESTIMATE in use
    if not is_named and "auto" not in use:
        return NOTHING_ESTIMATED, _finding("not used", "not one of the meters that --meters names")
    try:
        estimated = _components(covered, model, is_named=is_named)
    except MeterAbsent as error:
        if is_named:
            raise MeterAbsent(f"meter {ESTIMATE}, named in --meters: {error}") from error
        return NOTHING_ESTIMATED, _finding("not used", str(error))
    if not estimated.missing:
        standby = f"all components are measured; stands by; {model.describe()}"
        return estimated, _finding("not used", standby)
    zones = ", ".join(z.name for z in map(zone_of, estimated.missing))
    return estimated, _finding("works", f"{zones}; {model.describe()}")


def _components(
    covered: Collection[str], model: MachineModel, *, is_named: bool
) -> EstimatedComponents:
    missing = [c for c in _KIND_OF_COMPONENT if c not in covered]
    if "platform" in covered and "other" in missing:
        missing.remove("other")  # it is what the platform meter shows beyond its parts
    standby = [c for c in _KIND_OF_COMPONENT if c in covered]
    if is_named:
        if not missing:
            raise MeterAbsent(f"{ESTIMATE}: all components are measured")
        standby = []  # the user's choice: these meters, and no model in their place
    of_model = model.components()
    estimated = EstimatedComponents(
        tuple(c for c in missing if c in of_model),
        tuple(c for c in standby if c in of_model),
    )
    if not estimated.missing and not estimated.standby:
        components = ", ".join((*missing, *standby))
        raise MeterAbsent(f"{model.name} knows nothing of {components} here")
    return estimated


def _finding(state: FindingState, message: str) -> SourceFinding:
    return SourceFinding("meter", ESTIMATE, state, message)
