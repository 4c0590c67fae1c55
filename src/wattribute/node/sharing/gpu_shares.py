"""Who used each GPU: the sharer's knowledge of devices."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wattribute.core.records import GpuState, GpuUsage
from wattribute.core.shares import apportion


@dataclass(frozen=True, slots=True, eq=False)
class GpuShare:
    """Who used or held one GPU; m rows, a process may come twice."""

    keys: NDArray[np.uint64]
    weights: NDArray[np.int64]
    """By what the energy above the floor is shared: time on the processors, or where nobody
    had any, the interval's time in proportion to memory."""
    busy_ns: NDArray[np.int64]
    memory_bytes: NDArray[np.int64]
    busy: float
    """Part of the time in which the device was busy, 0 to 1."""


def share_gpus(
    uses: Sequence[GpuUsage], keys_of: Callable[[NDArray[np.int64]], NDArray[np.uint64]]
) -> dict[str, GpuShare]:
    """Add up intervals, and part them by device.

    Args:
        uses: one after the other; more than one where it was not known for a while who ran.
        keys_of: from pids to keys.
    """
    parts: dict[str, list[tuple[int, GpuShare]]] = {}
    for use in uses:
        keys, elapsed_ns = keys_of(use.pid), use.end_ns - use.start_ns
        for index, state in enumerate(use.states):
            mine = use.device == index
            busy_ns, memory_bytes = use.busy_ns[mine], use.memory_bytes[mine]
            share = GpuShare(
                keys[mine],
                _weights(busy_ns, memory_bytes, elapsed_ns),
                busy_ns,
                memory_bytes,
                _busy(state, held=bool(mine.any())),
            )
            parts.setdefault(state.device, []).append((elapsed_ns, share))
    return {device: _together(shares) for device, shares in parts.items()}


def _busy(state: GpuState, *, held: bool) -> float:
    """How busy a GPU was; a device that does not tell counts as busy, so it teaches no floor."""
    if state.utilisation is not None:
        return state.utilisation
    return float(held or state.activity == "unseen")


def _weights(
    busy_ns: NDArray[np.int64], memory_bytes: NDArray[np.int64], elapsed_ns: int
) -> NDArray[np.int64]:
    if busy_ns.any() or not len(busy_ns):
        return busy_ns
    held_bytes = memory_bytes if memory_bytes.any() else np.ones(len(busy_ns), np.int64)
    return apportion(elapsed_ns, held_bytes)


def _together(parts: Sequence[tuple[int, GpuShare]]) -> GpuShare:
    if len(parts) == 1:
        return parts[0][1]
    whole_ns = sum(elapsed_ns for elapsed_ns, _ in parts)
    shares = [share for _, share in parts]
    return GpuShare(
        np.concatenate([share.keys for share in shares]),
        np.concatenate([share.weights for share in shares]),
        np.concatenate([share.busy_ns for share in shares]),
        np.concatenate([share.memory_bytes for share in shares]),
        sum(elapsed_ns * share.busy for elapsed_ns, share in parts) / max(whole_ns, 1),
    )
