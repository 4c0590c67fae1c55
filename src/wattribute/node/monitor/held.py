"""Which container rows hold a GPU, by what the kubelet gave to whom."""

import re
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from wattribute.core.records import Allocation, Consumer, GpuState

_REPLICA: Final = ("::", "/vgpu")
"""What NVIDIA's and GKE's plugins put between a device that pods share in turn, and the number of
its replica."""

_INTEL_REPLICA: Final = re.compile(r"(card\d+)-\d+")
"""What Intel's plugin calls a device, shared or not: ``card0-0``."""


def slots_held(
    state: GpuState,
    allocations: Sequence[Allocation],
    consumers: Sequence[Consumer],
    there: NDArray[np.bool_],
) -> NDArray[np.int64]:
    """(c,) slots of one GPU that each container row holds; replicas count each.

    Args:
        state: the GPU, with the names that plugins may call it.
        allocations: what the kubelet gave to whom.
        consumers: the rows.
        there: (c,) whether the row's container is there now: of a pod that was started again
            under its name, the old row is not.
    """
    held = np.zeros(len(consumers), np.int64)
    mine: dict[tuple[str, str, str], int] = {}
    for one in allocations:
        slots = state.names.get(_whole(one.device), 0) if _of_vendor(one, state.vendor) else 0
        if slots:
            who = (one.namespace, one.pod, one.container)
            mine[who] = mine.get(who, 0) + slots
    if not mine:
        return held
    for row in np.flatnonzero(there).tolist():
        consumer = consumers[row]
        if consumer.kind == "container":
            who = (consumer.namespace, consumer.pod_name, consumer.container_name)
            held[row] = mine.get(who, 0)
    return held


def _of_vendor(one: Allocation, vendor: str) -> bool:
    """Whether a resource (``nvidia.com/gpu``) or driver (``gpu.nvidia.com``) is a vendor's.

    Intel's ``gpu.intel.com/xe_monitoring`` is the right to look at all devices, not to have one.
    """
    domain = f"{vendor}.com"
    if one.resource.endswith("_monitoring"):
        return False
    name = one.resource.partition("/")[0]
    return name == domain or name.endswith(f".{domain}")


def _whole(device: str) -> str:
    """The device of a replica."""
    for mark in _REPLICA:
        device = device.partition(mark)[0]
    return _INTEL_REPLICA.sub(r"\1", device)
