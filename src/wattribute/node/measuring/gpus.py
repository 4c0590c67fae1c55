"""Which part of each GPU the work used."""

import time
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from wattribute.core.units import Nanoseconds
from wattribute.node.measuring.kernel_tree import KernelTree
from wattribute.node.measuring.tree import ProcessTree
from wattribute.node.meter import GpuMeter
from wattribute.node.sharing.gpu_shares import GpuShare, share_gpus

_LATE_S: Final = 0.5
"""Drivers sample every 1/6 to 1 s: what the work did last is told so much later."""


class GpuWork:
    """Tells the work's processes from others on the GPUs, by their pids."""

    def __init__(self, meters: Sequence[GpuMeter], tree: ProcessTree | KernelTree) -> None:
        """Make the first reading when ``read`` is called first."""
        self._meters = tuple(meters)
        self._tree = tree
        self._first = frozenset(tree.members()) if meters else frozenset()
        """The command itself, which has ended when it is asked for last."""
        self._before = self._first

    def read(
        self, now_ns: Nanoseconds, work: int, rest: int, *, final: bool = False
    ) -> Mapping[str, GpuShare]:
        """By device, who used it since the last call.

        Args:
            now_ns: the instant.
            work: key of the work.
            rest: key of everybody else.
            final: the work has ended; wait for what is still to be said of it.
        """
        if not self._meters:
            return {}
        members = frozenset(self._tree.members())
        work_pids = members | self._before | self._first
        self._before = members
        if final:
            time.sleep(_LATE_S)
        uses = [use for meter in self._meters if (use := meter.read_use(now_ns)) is not None]

        def keys_of(pids: NDArray[np.int64]) -> NDArray[np.uint64]:
            return np.array(
                [work if pid in work_pids else rest for pid in pids.tolist()], np.uint64
            )

        return share_gpus(uses, keys_of)
