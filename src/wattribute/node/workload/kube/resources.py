"""Requests, limits, class of service and capacity, in whole numbers of our units."""

import logging
from collections.abc import Iterable, Mapping
from typing import Final

from wattribute.node.workload.kube.quantity import MILLI, amount
from wattribute.node.workload.kube.shapes import Container

_LOG = logging.getLogger(__name__)

_GPUS: Final = frozenset({"nvidia.com/gpu", "nvidia.com/gpu.shared", "amd.com/gpu"})
"""``.shared``: what NVIDIA's plugin calls replicas of time slicing, if told to rename them."""
_GPU_PREFIXES: Final = ("nvidia.com/mig-", "gpu.intel.com/")
_NO_GPUS: Final = frozenset(
    f"gpu.intel.com/{name}"
    for name in ("memory.max", "millicores", "tiles", "i915_monitoring", "xe_monitoring")
)
"""Intel's plugin: parts of a device, and the right to watch all of them."""

Quantities = Mapping[str, str | int | float] | None


def is_gpu(resource: str) -> bool:
    """Whether a resource counts devices; a MIG slice counts as one."""
    return resource in _GPUS or (resource.startswith(_GPU_PREFIXES) and resource not in _NO_GPUS)


def amounts(quantities: Quantities) -> dict[str, int]:
    """``cpu_mcore``, ``memory_bytes`` and ``gpu``, where they are given.

    A quantity that cannot be read is left out.
    """
    found: dict[str, int] = {}
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
            found[name] = found.get(name, 0) + amount(str(quantity), unit)
        except ValueError as error:
            _LOG.debug("%s: %s", resource, error)
    return found


def requests_and_limits(container: Container) -> tuple[dict[str, int], dict[str, int]]:
    """What a container asks for, and what it may use; a limit without request is both."""
    resources = container.resources
    if resources is None:
        return {}, {}
    limits = amounts(resources.limits)
    return {**limits, **amounts(resources.requests)}, limits


def quality(pairs: Iterable[tuple[Mapping[str, int], Mapping[str, int]]]) -> str:
    """The class of service by Kubernetes' rule, for a pod whose status does not say.

    Args:
        pairs: requests and limits of each container, init containers too.
    """
    both = ("cpu_mcore", "memory_bytes")
    listed = list(pairs)
    if not any(requests.get(name) for requests, _ in listed for name in both):
        return "BestEffort"
    for requests, limits in listed:
        if any(not limits.get(name) or limits[name] != requests.get(name) for name in both):
            return "Burstable"
    return "Guaranteed"
