"""Who pays the floor: the energy that the machine uses for being on.

It decides bills, so it is a choice, and every report names it.

=========  ======================  =======================  ==================  ================
policy     cpu, other              dram                     gpu                 what is left
=========  ======================  =======================  ==================  ================
reserved   CPU requested           memory requested         devices requested   idle
usage      CPU time used           memory resident          time on the device  idle
full       dynamic energy          dynamic energy           dynamic energy      idle: nobody ran
even       pods, by time alive     pods, by time alive      pods, by time alive idle: no pod
none       nobody                  nobody                   nobody              idle: all of it
=========  ======================  =======================  ==================  ================

``reserved`` and ``usage`` share by capacity (or by the sum, where that is more), so what nobody
reserved or used is idle. ``other`` (fans, disks, power supply) has no resource of
its own and goes as ``cpu`` does. A request counts for the time its container was alive, and
memory too. ``full``: when the zone used no more than its floor there is no dynamic
energy to go by, and CPU time (on a GPU: device time) takes its place.

The special rows (system, kernel) reserve nothing and are no pods, so they pay under
``usage`` and ``full`` only, by what they used like everybody.
"""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from wattribute.core.shares import apportion, apportion_groups

FloorPolicy = Literal["reserved", "usage", "full", "even", "none"]

_PARTS: Final = 1_000_000
"""Time alive counts in millionths of the interval."""
_KIB: Final = 1024
"""Memory counts in KiB, so that 8 PiB x _PARTS fit in 64 bits."""


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
    floor_uj: int, policy: FloorPolicy, component: str, table: FloorBasis
) -> tuple[NDArray[np.int64], int]:
    """Return what each row pays of a floor, and what stays idle; together exactly the floor.

    Args:
        floor_uj: the floor's energy, >= 0.
        policy: who pays.
        component: ``cpu``, ``dram``, ``gpu`` or ``other``.
        table: what to go by.

    Returns:
        (c,) microjoules by row, and the microjoules that nobody pays.

    Raises:
        ValueError: a policy or component that there is not, or a negative amount.
    """
    match policy:
        case "reserved":
            return _by_capacity(floor_uj, *_reserved(component, table))
        case "usage":
            return _by_capacity(floor_uj, *_used(component, table))
        case "full":
            active = table.gpu_ns if component == "gpu" else table.cpu_ns
            by = table.dynamic_uj if bool(table.dynamic_uj.any()) else active
            return _by_capacity(floor_uj, by, 0)
        case "even":
            return _by_pod(floor_uj, table)
        case "none":
            return np.zeros(len(table.cpu_ns), dtype=np.int64), floor_uj
        case _:
            raise ValueError(f"no such floor policy: {policy!r}")


def _by_capacity(
    floor_uj: int, amounts: NDArray[np.int64], capacity: int
) -> tuple[NDArray[np.int64], int]:
    """Share by capacity or by the sum of the amounts, whichever is more; the rest is idle."""
    unused = max(capacity - int(amounts.sum()), 0)
    if unused == 0 and not bool(amounts.any()):
        return np.zeros(len(amounts), dtype=np.int64), floor_uj
    shares = apportion(floor_uj, np.append(amounts, unused))
    return shares[:-1], int(shares[-1])


def _reserved(component: str, table: FloorBasis) -> tuple[NDArray[np.int64], int]:
    match component:
        case "cpu" | "other":
            return _while_alive(table.request_cpu_mcore, table), table.capacity_cpu_mcore * _PARTS
        case "dram":
            return (
                _while_alive(table.request_memory_bytes // _KIB, table),
                table.capacity_memory_bytes // _KIB * _PARTS,
            )
        case "gpu":
            return _while_alive(table.request_gpu, table), table.capacity_gpus * _PARTS
        case _:
            raise ValueError(f"no such component: {component!r}")


def _used(component: str, table: FloorBasis) -> tuple[NDArray[np.int64], int]:
    match component:
        case "cpu" | "other":
            return table.cpu_ns, table.capacity_ns
        case "dram":
            resident_kib = np.maximum(table.memory_bytes, 0) // _KIB
            return (
                _while_alive(resident_kib, table),
                table.capacity_memory_bytes // _KIB * _PARTS,
            )
        case "gpu":
            return table.gpu_ns, table.capacity_gpus * table.elapsed_ns
        case _:
            raise ValueError(f"no such component: {component!r}")


def _while_alive(amounts: NDArray[np.int64], table: FloorBasis) -> NDArray[np.int64]:
    """Return the amounts, each times the millionths of the interval that its row was alive."""
    parts = table.alive_ns * (_PARTS / max(table.elapsed_ns, 1))
    whole: NDArray[np.int64] = np.clip(np.rint(parts), 0, _PARTS).astype(np.int64)
    return amounts * whole


def _by_pod(floor_uj: int, table: FloorBasis) -> tuple[NDArray[np.int64], int]:
    """Share among pods by their time alive, then in each pod by its containers'.

    A pod lives as long as its longest container. Time in which there was no pod is idle.
    """
    shares = np.zeros(len(table.pod), dtype=np.int64)
    rows = np.flatnonzero((table.pod >= 0) & (table.alive_ns > 0))
    if len(rows) == 0:
        return shares, floor_uj
    pods, place = np.unique(table.pod[rows], return_inverse=True)
    alive_ns = np.zeros(len(pods), dtype=np.int64)
    np.maximum.at(alive_ns, place, table.alive_ns[rows])
    by_pod, idle_uj = _by_capacity(floor_uj, alive_ns, table.elapsed_ns)
    shares[rows] = apportion_groups(by_pod, table.alive_ns[rows], place)
    return shares, idle_uj
