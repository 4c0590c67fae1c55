"""What a CPU-second of each workload costs against the mean of its node, and how that is known."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from wattribute.core.records.reading import Zone


class WorkloadKey(NamedTuple):
    """A workload whose watts per core are one coefficient: replicas and restarts share it."""

    owner_kind: str = ""
    """``Deployment``, ``CronJob``, ...; outside Kubernetes ``container``, ``unit``, ``vm``,
    ``system`` or ``kernel``."""
    owner_name: str = ""
    namespace: str = ""
    container_name: str = ""
    image: str = ""
    """The image's digest, shortened; "" if no source tells it."""


@dataclass(frozen=True, slots=True, eq=False)
class LearnedWeights:
    """What the learner of one zone knows after a tick: n workloads."""

    keys: tuple[WorkloadKey, ...]
    ratio: NDArray[np.float64]
    """(n,) Watts per core against the mean of the node's use; 1 is the mean."""
    low: NDArray[np.float64]
    """(n,) Lower end of the 90 % band of ``ratio``."""
    high: NDArray[np.float64]
    learning: NDArray[np.bool_]
    """(n,) Whether little was learned of the workload, so that its ratio is mostly a guess."""
    lead_nats: float
    """The log evidence of the best member of the bank less that of "all equal"; below 0, CPU time
    foretells the meter as well."""
    noise_ratio: float
    """The standard deviation of the meter's noise, as a part of the zone's power."""
    delay_readings: int
    """By how many readings the meter is late."""
    jumps: int
    """Sudden changes of the whole (a governor, a turbo switch) since the learner began."""
    restarts: int
    """How often the learner began anew because its numbers were no longer sound."""
    skipped: Mapping[str, int]
    """Ticks from which nothing was learned, by reason: ``capped``, ``jump``, ``late``,
    ``invalid``."""
    seconds: float
    """CPU time of the learner since it began."""


@dataclass(frozen=True, slots=True)
class ZoneWeight:
    """By what the energy of one zone is shared above its floor."""

    zone: Zone
    shared_by: str
    """``time``, ``cycles``, ``misses`` or ``learned-1``."""
    reason: str
    """Why, in a few words."""
    rival: str = ""
    """``time`` or ``learned``: the weight that is not used, for those who compare; "" for none."""
    learned: LearnedWeights | None = None
    """None: nothing is learned in this zone."""
