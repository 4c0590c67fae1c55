"""The floor's policies applied to an interval: what each container row pays, in numpy.

What the policies are stands in ``core.floor``. A request counts for the time its container was
alive, and memory too. The special rows (system, kernel) reserve nothing and are no pods, so they
pay under policies that go by use or by energy only.
"""

from dataclasses import dataclass
from typing import Final, TypeAlias, assert_never

import numpy as np
from numpy.typing import NDArray

from wattribute.core.floor import RESOURCE_OF, FloorPolicy, Measure, Resource, claims
from wattribute.core.shares import apportion, apportion_groups

_PARTS: Final = 1_000_000
"""Time alive counts in millionths of the interval."""
_KIB: Final = 1024
"""Memory counts in KiB, so that 8 PiB x _PARTS fit in 64 bits."""

_Numbers: TypeAlias = NDArray[np.int64] | int
"""One number for each row, or one for all rows."""


@dataclass(frozen=True, slots=True, eq=False)
class FloorBasis:
    """What the policies go by, for one interval; c container rows, special rows included."""

    elapsed_ns: int
    cpu_ns: NDArray[np.int64]
    memory_bytes: NDArray[np.int64]
    """Resident; negative where not known (counts as 0)."""
    gpu_ns: NDArray[np.int64]
    """Time on the GPUs of the zone."""
    request_cpu_mcore: NDArray[np.int64]
    request_memory_bytes: NDArray[np.int64]
    request_gpu: NDArray[np.int64]
    pod: NDArray[np.int64]
    """Number of the row's pod, from 0; a container outside Kubernetes is a pod of its own; -1
    for the special rows."""
    alive_ns: NDArray[np.int64]
    """How long the row's container lived in the interval."""
    dynamic_uj: NDArray[np.int64]
    """The rows' energy above the floor in the component, in the interval."""
    capacity_cpu_mcore: int
    capacity_ns: int
    """Online CPUs x elapsed time."""
    capacity_memory_bytes: int
    capacity_gpus: int


def share_floor(
    floor_uj: int, policy: FloorPolicy, component: str, basis: FloorBasis
) -> tuple[NDArray[np.int64], int]:
    """Return what each row pays of a floor, and what stays idle; together exactly the floor.

    Args:
        floor_uj: The floor's energy, >= 0.
        policy: Who pays.
        component: ``cpu``, ``dram``, ``gpu`` or ``other``.
        basis: What the policies go by.

    Returns:
        (c,) microjoules by row, and the microjoules that nobody pays.

    Raises:
        ValueError: a component that there is not, or a negative amount.
    """
    if component not in RESOURCE_OF:
        raise ValueError(f"no such component: {component!r}")
    claim, whole = claims(policy, _IntervalRows(RESOURCE_OF[component], basis))
    weights = np.broadcast_to(np.asarray(claim, np.int64), basis.pod.shape)
    unclaimed = int(whole) - int(weights.sum())
    if not whole:
        return np.zeros(len(weights), dtype=np.int64), floor_uj
    shares = apportion(floor_uj, np.append(weights, unclaimed))
    return shares[:-1], int(shares[-1])


class _IntervalRows:
    """The container rows of an interval, for one component."""

    def __init__(self, resource: Resource, basis: FloorBasis) -> None:
        self._resource = resource
        self._basis = basis
        self._known: dict[Measure, NDArray[np.int64]] = {}
        self.nothing: _Numbers = 0

    def amounts(self, measure: Measure) -> _Numbers:
        """Each row's amount, found once."""
        if measure not in self._known:
            self._known[measure] = self._amounts(measure)
        return self._known[measure]

    def _amounts(self, measure: Measure) -> NDArray[np.int64]:
        """Reservations and memory count for the time alive."""
        basis = self._basis
        match measure:
            case "reserved":
                return self._while_alive(self._reserved())
            case "used" if self._resource == "memory":
                return self._while_alive(np.maximum(basis.memory_bytes, 0) // _KIB)
            case "used" | "time":
                return basis.gpu_ns if self._resource == "gpu" else basis.cpu_ns
            case "dynamic":
                return basis.dynamic_uj
            case "pod_time":
                return self._pod_time_ns()
            case _:
                assert_never(measure)

    def total(self, measure: Measure) -> _Numbers:
        """The sum over the rows."""
        return int(np.sum(self.amounts(measure)))

    def capacity(self, measure: Measure) -> _Numbers:
        """What the machine has, in the unit of the amounts."""
        basis = self._basis
        match measure:
            case "reserved":
                return self._units() * _PARTS
            case "used" if self._resource == "memory":
                return self._units() * _PARTS
            case "used" | "time":
                if self._resource == "gpu":
                    return basis.capacity_gpus * basis.elapsed_ns
                return basis.capacity_ns
            case "dynamic":
                return 0
            case "pod_time":
                return basis.elapsed_ns
            case _:
                assert_never(measure)

    @staticmethod
    def larger(first: _Numbers, second: _Numbers) -> _Numbers:
        """The larger of two numbers."""
        return np.maximum(first, second)

    @staticmethod
    def if_any(total: _Numbers, then: _Numbers, otherwise: _Numbers) -> _Numbers:
        """``then`` where there is any, else ``otherwise``."""
        return then if total else otherwise

    def _reserved(self) -> NDArray[np.int64]:
        """What each row reserves, in millicores, KiB or devices."""
        match self._resource:
            case "cpu":
                return self._basis.request_cpu_mcore
            case "memory":
                return self._basis.request_memory_bytes // _KIB
            case "gpu":
                return self._basis.request_gpu
            case _:
                assert_never(self._resource)

    def _units(self) -> int:
        """How much there is to reserve, in the same units."""
        match self._resource:
            case "cpu":
                return self._basis.capacity_cpu_mcore
            case "memory":
                return self._basis.capacity_memory_bytes // _KIB
            case "gpu":
                return self._basis.capacity_gpus
            case _:
                assert_never(self._resource)

    def _while_alive(self, amounts: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the amounts, each times the millionths of the interval that its row was alive."""
        parts = self._basis.alive_ns * (_PARTS / max(self._basis.elapsed_ns, 1))
        whole: NDArray[np.int64] = np.clip(np.rint(parts), 0, _PARTS).astype(np.int64)
        return amounts * whole

    def _pod_time_ns(self) -> NDArray[np.int64]:
        """Return each row's part of its pod's time alive.

        A pod lives as long as its longest container, and its containers share that time by theirs.
        """
        basis = self._basis
        times_ns = np.zeros(len(basis.pod), dtype=np.int64)
        rows = np.flatnonzero((basis.pod >= 0) & (basis.alive_ns > 0))
        pods, place = np.unique(basis.pod[rows], return_inverse=True)
        alive_ns = np.zeros(len(pods), dtype=np.int64)
        np.maximum.at(alive_ns, place, basis.alive_ns[rows])
        times_ns[rows] = apportion_groups(alive_ns, basis.alive_ns[rows], place)
        return times_ns
