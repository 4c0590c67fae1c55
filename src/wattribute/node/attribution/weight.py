"""What a second of a workload costs: the seam where better weights will come in.

Whatever the weights are, the shares add up to what was measured.
"""

from collections.abc import Mapping
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

_LARGEST: Final = 2.0**53
"""A weight that no real process reaches: one that was hardly counted must not overflow."""


class Weight(Protocol):
    """Turns use into weights, by which the energy above the floor is shared."""

    def weigh(
        self,
        cpu_ns: NDArray[np.int64],
        counters: Mapping[str, NDArray[np.int64]],
        zone_kind: str,
    ) -> NDArray[np.int64]:
        """Return the weight of each row in each package.

        Args:
            cpu_ns: (n, P) CPU time, >= 0.
            counters: as in Processes.counters, each (n, P); absent where not counted.
            zone_kind: as Zone.kind.

        Returns:
            (n, P), >= 0; may be cpu_ns itself.
        """
        ...


class TimeWeight:
    """Every second of CPU time costs the same."""

    def weigh(
        self,
        cpu_ns: NDArray[np.int64],
        counters: Mapping[str, NDArray[np.int64]],  # noqa: ARG002 - part of the protocol
        zone_kind: str,  # noqa: ARG002 - part of the protocol
    ) -> NDArray[np.int64]:
        """Return the CPU time."""
        return cpu_ns


class CyclesWeight:
    """Every cycle costs the same, but for cycles beside a busy SMT sibling.

    In ``dram``: every last-level-cache miss. Each falls back to CPU time where
    it is not counted.
    """

    def __init__(self, corun_weight: float) -> None:
        """Take what a cycle costs while the SMT sibling runs too, against one alone (0 to 1)."""
        self._corun_discount = 1 - corun_weight

    def weigh(
        self,
        cpu_ns: NDArray[np.int64],
        counters: Mapping[str, NDArray[np.int64]],
        zone_kind: str,
    ) -> NDArray[np.int64]:
        """Return discounted cycles, or misses in ``dram``.

        A row with time and without cycles was not counted (its time is known
        from its cgroup only): it is taken at the mean rate of the package's
        rows that were. Both siblings count full cycles while they share one
        core, hence the discount (design section 2).
        """
        cycles = counters.get("cycles")
        counted = cpu_ns > 0 if cycles is None else cycles > 0
        if zone_kind == "dram":
            misses = counters.get("cache_misses")
            return cpu_ns if misses is None else _at_mean_rate(cpu_ns, misses, counted)
        if cycles is None:
            return cpu_ns
        corun_ns = counters.get("corun_ns")
        if corun_ns is not None:
            together = np.minimum(corun_ns / np.maximum(cpu_ns, 1), 1.0)
            cycles = np.rint(cycles * (1 - self._corun_discount * together)).astype(np.int64)
        return _at_mean_rate(cpu_ns, cycles, counted)


def _at_mean_rate(
    cpu_ns: NDArray[np.int64], amounts: NDArray[np.int64], counted: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Fill in rows that were not counted, by time at the mean rate of those that were.

    A package in which nothing at all was counted goes by time.
    """
    known_ns = np.where(counted, cpu_ns, 0).sum(axis=0, dtype=np.float64)
    total = np.where(counted, amounts, 0).sum(axis=0, dtype=np.float64)
    rate = np.where((total > 0) & (known_ns > 0), total / np.maximum(known_ns, 1), 1.0)
    by_time = np.rint(np.minimum(cpu_ns * rate, _LARGEST)).astype(np.int64)
    return np.where(counted & (total > 0), amounts, by_time)
