"""What the ledger reads of Prometheus: families, and which labels are the agent's own.

The rest of a series' labels (job, instance, what an operator or a remote-write added) say which
target it was scraped from.
"""

from collections.abc import Mapping
from typing import Final

from wattribute.core.records import REWEIGHED

CONTAINER_JOULES: Final = "wattribute_container_joules_total"
"""Energy of containers. Only ``mode="dynamic"`` is read: who pays the floor is a statement's."""
ALWAYS_THERE: Final = "system_processes"
"""The id of a row that every agent shows in every scrape: it tells whether a family is there."""
KEPLER_JOULES: Final[Mapping[str, str]] = {
    "kepler_container_package_joules_total": "cpu",
    "kepler_container_dram_joules_total": "dram",
    "kepler_container_gpu_joules_total": "gpu",
    "kepler_container_other_joules_total": "other",
}
"""Family to component, for the scrapes of agents of 0.1, which had no family of their own."""
BAND: Final = "wattribute_container_band_joules_total"
"""Ends of the band around dynamic energy, where it is shared by learned weights."""
WEIGHED: Final = "wattribute_container_weighed_joules_total"
"""Dynamic energy by the weight that is not used, where there is one."""
REWEIGHED_JOULES: Final = frozenset((BAND, WEIGHED))
CONTAINER_ENERGY: Final = frozenset((CONTAINER_JOULES, *KEPLER_JOULES))

NODE_INFO: Final = "wattribute_node_info"
NODE_JOULES: Final = "wattribute_node_joules_total"
UNATTRIBUTED: Final = "wattribute_unattributed_joules_total"
HELD: Final = "wattribute_birth_held_joules"
CAPACITY: Final = "wattribute_node_capacity"
POWER: Final = "wattribute_zone_power_watts"
POWER_LOW: Final = "wattribute_zone_power_low_watts"
POWER_HIGH: Final = "wattribute_zone_power_high_watts"
ESTIMATOR: Final = "wattribute_estimator_info"
WEIGHT_INFO: Final = "wattribute_zone_weight_info"
NODE_FAMILIES: Final = (
    *(NODE_INFO, NODE_JOULES, UNATTRIBUTED, HELD, CAPACITY),
    *(POWER, POWER_LOW, POWER_HIGH, ESTIMATOR, WEIGHT_INFO),
)

CONTAINER_INFO: Final = "wattribute_container_info"
POD_LABELS: Final = "wattribute_pod_labels"
REQUESTS: Final = "wattribute_container_requests"
CPU: Final = "wattribute_container_cpu_seconds_total"
MEMORY: Final = "wattribute_container_memory_byte_seconds_total"
GPU: Final = "wattribute_container_gpu_seconds_total"
CONTAINER_FAMILIES: Final = (
    *(CONTAINER_JOULES, BAND, WEIGHED, CONTAINER_INFO, POD_LABELS, REQUESTS, CPU, MEMORY, GPU),
)

_OWN: Final = frozenset(
    (
        *("__name__", "container_id", "pod_uid", "pod_name", "container_namespace"),
        *("container_name", "owner_kind", "owner_name", "runtime", "component", "mode", "origin"),
        *("source", "zone", "basis", "resource", "node", "provider_id", "instance_type", "region"),
        *("cluster", "virtual", "nested", "model", "version", "profile", "cpu"),
        *("microarchitecture", "calibrated", "wide_because"),
        *("bound", "weight", "shared_by", "reason", "image"),
    )
)
_OWN_PREFIXES: Final = ("label_", "annotation_", "exported_")

POD_ANNOTATIONS: Final = "kube_pod_annotations"
"""Of kube-state-metrics, which is another target: joined by the pod's uid."""

Labels = Mapping[str, str]
Target = tuple[tuple[str, str], ...]


def target_of(labels: Labels) -> Target:
    """Return the labels of a series that say which target it was scraped from."""
    return tuple(
        sorted(
            (name, value)
            for name, value in labels.items()
            if name not in _OWN and not name.startswith(_OWN_PREFIXES)
        )
    )


def own(labels: Labels, name: str) -> str:
    """Return one of the agent's own labels, "" without it.

    Prometheus renames such a label when the target has one of the same name.
    """
    return labels.get(f"exported_{name}") or labels.get(name, "")


def reweighed_name(labels: Labels) -> str:
    """Return the name in REWEIGHED that a series of ``REWEIGHED_JOULES`` is of; "" for none."""
    name = f"{own(labels, 'bound') or own(labels, 'weight')}_uj"
    return name if name in REWEIGHED else ""


def shown_labels(labels: Labels, prefix: str) -> dict[str, str]:
    """Return ``label_team="shop"`` as ``team: shop``, sorted by name."""
    return {
        name.removeprefix(prefix): value
        for name, value in sorted(labels.items())
        if name.startswith(prefix)
    }
