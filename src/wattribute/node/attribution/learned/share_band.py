"""How far a workload's share of an hour's energy may be off, as a relative standard deviation."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from wattribute.core.records import BAND_DEVIATIONS
from wattribute.node.attribution.learned.evidence import Evidence
from wattribute.node.attribution.learned.filters import (
    SIGMA,
    TYPICAL,
    WALK,
    FilterBank,
    limited,
)

Floats = NDArray[np.float64]

BAND: Final = BAND_DEVIATIONS
_UNLEARNED: Final = 0.45
"""Spread of ln W per core of workloads of which nothing could be learned. With 0.35, the spread of
all real mixes, 83 to 85 % of constant loads and short jobs lay in their bands."""
_OUTSIDE: Final = 0.03
"""What no member of the bank has in its model."""
_MOST_JITTER: Final = 0.09
_DIFFER: Final = 0.09
"""Spread squared from which on the data say that workloads differ at all."""
_HOUR_S: Final = 3600.0


class TimeInUse:
    """How long each slot's energy of the last hour was in the making, in seconds.

    (sum of use)^2 / sum of use^2, both weighed by time: 60 s for a job of one minute, an hour for a
    steady load.
    """

    def __init__(self, slots: int) -> None:
        """Start with no use."""
        self._sums = np.zeros((2, slots + 1))

    def note(self, use: Floats, elapsed_s: float) -> None:
        """Take one tick's use by slot, busy threads."""
        self._sums *= np.exp(-elapsed_s / _HOUR_S)
        self._sums[:, : len(use)] += elapsed_s * use, elapsed_s * use * use

    def forget(self, slot: int) -> None:
        """Begin a slot anew."""
        self._sums[:, slot] = 0.0

    def seconds(self, slots: int) -> Floats:
        """(slots,) 1 to 3,600."""
        use, squared = self._sums[:, :slots]
        in_use: Floats = np.clip(use**2 / np.maximum(squared, 1e-12), 1.0, _HOUR_S)
        return in_use


@dataclass(frozen=True, slots=True, eq=False)
class BandSight:
    """What a tick adds to what the bank believes; s slots, f features, m members."""

    use: Floats
    """(s,) busy threads."""
    features: Floats
    """(f, s)"""
    in_use_s: Floats
    """(s,) as TimeInUse has it."""
    load: float
    noise_w: Floats
    """(m,) standard deviation of the meter's noise in watts."""


def unlearned(bank: FilterBank, slots: int) -> Floats:
    """(slots,) how little was learned of each workload: 1 nothing, 0 all."""
    variances = np.diagonal(bank.delta_covariance(slots)[TYPICAL])
    part: Floats = (variances / SIGMA[TYPICAL] ** 2) ** 1.5
    return part


def share_deviation(bank: FilterBank, evidence: Evidence, tick: BandSight) -> Floats:
    """Return the relative standard deviation of each slot's share of an hour's energy.

    To first order d ln share_i = d_i/w_i - sum_j share_j d_j/w_j, where d is the error of delta.
    The variance of that under each member, and the spread between the members, are averaged by
    evidence that leans to "they differ" until the data say otherwise. Four things are added:

    * A member's variance is of one instant. An error that is forgotten in tau = variance / walk
      averages out over the time in which the energy was used; without this the band was 1.5 to 2
      times too wide.
    * Where nothing was learned of a workload the bank's belief does not count: it may believe that
      all are equal because no reading could show that they are not.
    * What no member has in its model, and all of the meter's noise taken for watts per core that
      jump about.
    * Of these two nothing is left where the data say that all workloads cost the same.

    Returns:
        (slots,)
    """
    size = len(tick.use)
    weights = limited(bank.weights(tick.features))
    mixed = evidence.weights @ weights
    share = tick.use * mixed
    share /= max(float(share.sum()), 1e-12)
    if_each_varies = (1 - share) ** 2 + share @ share - share**2
    doubt = evidence.doubtful_weights
    variance = _mean_variance(bank, mixed, share, if_each_varies, tick.in_use_s)
    apart = weights / mixed - 1
    apart -= (apart @ share)[:, None]
    believed = doubt @ (variance + apart**2)
    differ = min(1.0, float(doubt @ SIGMA**2) / _DIFFER)
    blind = (_UNLEARNED * unlearned(bank, size)) ** 2 * differ * if_each_varies
    jitter = float(doubt @ (tick.noise_w / bank.watts_per_thread(tick.load)) ** 2)
    jitter = min(jitter / max(float(tick.use @ tick.use), 1e-12), _MOST_JITTER)
    outside = (_OUTSIDE * (1 - share)) ** 2 + jitter * if_each_varies
    deviation: Floats = np.sqrt(np.maximum(believed, blind) + differ * outside)
    return deviation


def _mean_variance(
    bank: FilterBank, mixed: Floats, share: Floats, if_each_varies: Floats, in_use_s: Floats
) -> Floats:
    """(m, slots) variance of ln share over the time in use, under each member.

    The mean over T of first-order noise of variance V and time tau has the variance
    V 2y (1 - y (1 - exp(-1/y))), y = tau/T. The first member's weights do not walk, so its errors
    last.
    """
    by_weight = share / mixed
    covariance = bank.delta_covariance(len(share))
    tied = covariance @ by_weight
    own = np.diagonal(covariance, axis1=1, axis2=2) / mixed**2
    variance = np.maximum(own - 2 * tied / mixed + (tied @ by_weight)[:, None], 0)
    walking = WALK > 0
    walk = (WALK * SIGMA**2)[walking, None]
    tau_s = variance[walking] * mixed**2 / np.maximum(if_each_varies * walk, 1e-12)
    y = np.maximum(tau_s / in_use_s, 1e-6)
    variance[walking] *= np.minimum(2 * y * (1 + y * np.expm1(-1 / y)), 1.0)
    return variance


def of_shared_slot(evidence: Evidence) -> float:
    """Relative standard deviation of one of the many workloads that share a slot."""
    return float(np.sqrt(evidence.doubtful_weights @ SIGMA**2))
