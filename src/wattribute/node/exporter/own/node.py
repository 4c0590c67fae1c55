"""What this node is, and the model that its estimates rest on."""

from typing import Final

from wattribute.node.exporter.family import Family, Samples, gauge, listed
from wattribute.node.exporter.scene import Scene


def _estimator_info(scene: Scene) -> Samples | None:
    info = scene.snapshot.estimator
    if info is None:
        return None
    labels = {
        "model": info.model,
        "version": info.version,
        "basis": info.basis,
        "profile": info.profile,
        "cpu": info.cpu,
        "microarchitecture": info.microarchitecture,
        "calibrated": str(info.calibrated).lower(),
        "wide_because": "; ".join(info.why_wide),
    }
    return listed([(labels, 1)])


def _node_info(scene: Scene) -> Samples | None:
    node, machine, facts = scene.node, scene.snapshot.machine, scene.snapshot.node_facts
    labels = {
        "node": node.name,
        "provider_id": facts.provider_id or node.provider_id,
        "instance_type": facts.instance_type or node.instance_type,
        "region": facts.region or node.region,
        "cluster": node.cluster,
        "virtual": str(bool(machine.hypervisor)).lower(),
        "nested": str(node.nested).lower(),
    }
    return listed([(labels, 1)])


FAMILIES: Final[tuple[Family, ...]] = (
    gauge("wattribute_estimator_info",
          "The model that estimates, what it knows of this machine, and why its band is wide: 1.",
          ("model", "version", "basis", "profile", "cpu", "microarchitecture", "calibrated",
           "wide_because"), _estimator_info, decimals=0),
    gauge("wattribute_node_info", "What this node is: 1. instance_type and the rest as told.",
          ("node", "provider_id", "instance_type", "region", "cluster", "virtual", "nested"),
          _node_info, decimals=0),
)  # fmt: skip
