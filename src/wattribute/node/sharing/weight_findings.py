"""By what each zone will be shared, and why: rows of ``wattribute doctor``."""

from wattribute.node.findings import SourceFinding
from wattribute.node.sharing.energy import NodeEnergy
from wattribute.node.sharing.weight_choice import WeightSetting, choose_weight, obstacle

_TEXTS = {
    "time": "CPU time",
    "cycles": "CPU cycles",
    "misses": "last-level-cache misses",
}


def weight_findings(
    setting: WeightSetting, energy: NodeEnergy, counted: frozenset[str]
) -> tuple[SourceFinding, ...]:
    """Return a row for each zone but GPUs, whose energy goes by time on their processors.

    Args:
        setting: ``attribution.weight``.
        energy: the zones that are there now.
        counted: what the source of activity counts by hardware.
    """
    measured = energy.metering.zones
    findings = []
    for zone in energy.zones:
        if zone.kind == "gpu":
            continue
        why_not = obstacle(zone, estimated=zone not in measured, measured=measured)
        choice = choose_weight(setting, zone.kind, obstacle=why_not, counted=counted)
        text = _TEXTS.get(choice.shared_by, f"watts per core ({choice.shared_by})")
        findings.append(
            SourceFinding("weight", zone.name, "works", f"shared by {text}: {choice.reason}")
        )
    return tuple(findings)
