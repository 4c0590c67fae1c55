"""Read requests, limits, QoS class and capacity as whole numbers of our units."""

import logging
from collections.abc import Iterable, Mapping
from typing import Final

from wattribute.node.workload.kube.quantity import MILLI, amount
from wattribute.node.workload.kube.shapes import Container

_LOG = logging.getLogger(__name__)

_GPUS: Final = frozenset({"nvidia.com/gpu", "nvidia.com/gpu.shared", "amd.com/gpu"})
"""``.shared`` is the name of time-sliced replicas, if NVIDIA's plugin is set to rename them."""
_GPU_PREFIXES: Final = ("nvidia.com/mig-", "gpu.intel.com/")
_NO_GPUS: Final = frozenset(
    f"gpu.intel.com/{name}"
    for name in ("memory.max", "millicores", "tiles", "i915_monitoring", "xe_monitoring")
)
"""Resources of Intel's plugin that are parts of a device, or the permission to monitor devices."""

Quantities = Mapping[str, str | int | float] | None


def is_gpu(resource: str) -> bool:
    """Tell whether a resource counts GPUs; a MIG slice counts as a device."""
    return resource in _GPUS or (resource.startswith(_GPU_PREFIXES) and resource not in _NO_GPUS)


def amounts(quantities: Quantities) -> dict[str, int]:
    """Return ``cpu_mcore``, ``memory_bytes`` and ``gpu``, each where it is given.

    A quantity that cannot be parsed is left out.
    """
    values: dict[str, int] = {}
    for resource, quantity in (quantities or {}).items():
        name, unit = "", 1
        if resource == "cpu":
            name, unit = "cpu_mcore", MILLI
        elif resource == "memory":
            name = "memory_bytes"
        elif is_gpu(resource):
            name = "gpu"
        if not name:
            continue
        try:
            values[name] = values.get(name, 0) + amount(str(quantity), unit)
        except ValueError as error:
            _LOG.debug("%s: %s", resource, error)
    return values


def requests_and_limits(container: Container) -> tuple[dict[str, int], dict[str, int]]:
    """Return a container's requests and limits; a limit without request counts as both."""
    resources = container.resources
    if resources is None:
        return {}, {}
    limits = amounts(resources.limits)
    return {**limits, **amounts(resources.requests)}, limits


def quality(pairs: Iterable[tuple[Mapping[str, int], Mapping[str, int]]]) -> str:
    """Return the QoS class by Kubernetes' rule, for a pod whose status does not contain it.

    Args:
        pairs: requests and limits of each container, including init containers.
    """
    names = ("cpu_mcore", "memory_bytes")
    listed = list(pairs)
    if not any(requests.get(name) for requests, _ in listed for name in names):
        return "BestEffort"
    for requests, limits in listed:
        if any(not limits.get(name) or limits[name] != requests.get(name) for name in names):
            return "Burstable"
    return "Guaranteed"
