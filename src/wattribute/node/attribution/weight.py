"""Weigh the use of workloads; better weights can be added here.

Whatever the weights are, the shares add up to the measured energy.
"""

from collections.abc import Mapping
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

_LARGEST: Final = 2.0**53
"""Upper bound of a weight, which no real process reaches; it prevents an overflow."""


class Weight(Protocol):
    """Turns use into the weights by which the energy above the floor is shared."""

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
    """Weighs every second of CPU time the same."""

    def weigh(
        self,
        cpu_ns: NDArray[np.int64],
        counters: Mapping[str, NDArray[np.int64]],  # noqa: ARG002 - part of the protocol
        zone_kind: str,  # noqa: ARG002 - part of the protocol
    ) -> NDArray[np.int64]:
        """Return the CPU time as the weight."""
        return cpu_ns


class CyclesWeight:
    """Weighs every cycle the same, apart from cycles beside a busy SMT sibling.

    In ``dram`` it weighs last-level-cache misses. It falls back to CPU time where
    these are not counted.
    """

    def __init__(self, corun_weight: float) -> None:
        """Set the weight of a cycle beside a busy SMT sibling, relative to one alone (0 to 1)."""
        self._corun_discount = 1 - corun_weight

    def weigh(
        self,
        cpu_ns: NDArray[np.int64],
        counters: Mapping[str, NDArray[np.int64]],
        zone_kind: str,
    ) -> NDArray[np.int64]:
        """Return discounted cycles, or misses in ``dram``.

        A row with time and without cycles was not counted (only its cgroup shows
        its time). It gets the mean rate of the counted rows in the package. Both
        siblings count full cycles while they share one core; the discount corrects
        that (design section 2).
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
    """Fill in rows that were not counted: their time at the mean rate of counted rows.

    A package without any counted row is weighed by time.
    """
    known_ns = np.where(counted, cpu_ns, 0).sum(axis=0, dtype=np.float64)
    total = np.where(counted, amounts, 0).sum(axis=0, dtype=np.float64)
    rate = np.where((total > 0) & (known_ns > 0), total / np.maximum(known_ns, 1), 1.0)
    by_time = np.rint(np.minimum(cpu_ns * rate, _LARGEST)).astype(np.int64)
    return np.where(counted & (total > 0), amounts, by_time)
