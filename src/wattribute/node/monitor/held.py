"""Which container rows hold a GPU, by what the kubelet gave to whom."""

import re
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from wattribute.core.records import Consumer, DeviceAllocation, GpuState

_REPLICA: Final = ("::", "/vgpu")
"""What NVIDIA's and GKE's plugins put between a device that pods share in turn, and the number of
its replica."""

_INTEL_REPLICA: Final = re.compile(r"(card\d+)-\d+")
"""What Intel's plugin calls a device, shared or not: ``card0-0``."""


def slots_held(
    state: GpuState,
    allocations: Sequence[DeviceAllocation],
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
    slots_of_row = np.zeros(len(consumers), np.int64)
    mine: dict[tuple[str, str, str], int] = {}
    for allocation in allocations:
        slots = (
            state.names.get(_whole(allocation.device), 0)
            if _of_vendor(allocation, state.vendor)
            else 0
        )
        if slots:
            container = (allocation.namespace, allocation.pod, allocation.container)
            mine[container] = mine.get(container, 0) + slots
    if not mine:
        return slots_of_row
    for row in np.flatnonzero(there).tolist():
        consumer = consumers[row]
        if consumer.kind == "container":
            container = (consumer.namespace, consumer.pod_name, consumer.container_name)
            slots_of_row[row] = mine.get(container, 0)
    return slots_of_row


def _of_vendor(allocation: DeviceAllocation, vendor: str) -> bool:
    """Whether a resource (``nvidia.com/gpu``) or driver (``gpu.nvidia.com``) is a vendor's.

    Intel's ``gpu.intel.com/xe_monitoring`` is the right to look at all devices, not to have one.
    """
    domain = f"{vendor}.com"
    if allocation.resource.endswith("_monitoring"):
        return False
    name = allocation.resource.partition("/")[0]
    return name == domain or name.endswith(f".{domain}")


def _whole(device: str) -> str:
    """The device of a replica."""
    for mark in _REPLICA:
        device = device.partition(mark)[0]
    return _INTEL_REPLICA.sub(r"\1", device)
