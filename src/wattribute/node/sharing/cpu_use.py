"""Who used the CPUs: the sharer's whole knowledge of activity."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wattribute.core.records import WorkloadKey
from wattribute.core.units import Nanoseconds


@dataclass(frozen=True, slots=True, eq=False)
class CpuUse:
    """Who used the CPUs in ``[start_ns, end_ns)``; n rows, P packages."""

    start_ns: Nanoseconds
    end_ns: Nanoseconds
    keys: NDArray[np.uint64]
    """(n,) who: a process key, or any other number that its caller knows the row by."""
    cpu_ns: NDArray[np.int64]
    """(n, P) CPU time of each row on each package."""
    counters: Mapping[str, NDArray[np.int64]]
    """As in Processes.counters, (n, P) each; empty where the hardware counted nothing."""
    capacity_ns: NDArray[np.int64]
    """(P,) online CPUs x elapsed time."""
    workload: NDArray[np.int64] | None = None
    """(n,) index of each row's workload; None: nobody says which workload a row is of."""
    workloads: tuple[WorkloadKey, ...] = ()
    renamed: tuple[tuple[WorkloadKey, WorkloadKey], ...] = ()
    """Old and new key of workloads whose name became known since the tick before."""
