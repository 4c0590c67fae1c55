"""How far a workload's share may be off, as a relative standard deviation."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from wattribute.node.attribution.learned.evidence import Evidence
from wattribute.node.attribution.learned.filters import SIGMA, TYPICAL, FilterBank, limited

Floats = NDArray[np.float64]

BAND: Final = 1.645
"""Standard deviations from the middle of a normal distribution to the ends of its 90 % band."""
_UNLEARNED: Final = 0.35
"""Spread of watts per core in real mixes: what a workload may be off of which nothing is known."""
_OUTSIDE: Final = 0.03
"""What no member of the bank has in its model."""


def unlearned(bank: FilterBank, slots: int) -> Floats:
    """(slots,) how little was learned of each workload: 1 nothing, 0 all."""
    variances = np.diagonal(bank.delta_covariance(slots)[TYPICAL])
    part: Floats = (variances / SIGMA[TYPICAL] ** 2) ** 2
    return part


def share_deviation(bank: FilterBank, evidence: Evidence, use: Floats, features: Floats) -> Floats:
    """Return the relative standard deviation of each slot's share of the zone's energy.

    To first order d ln share_i = d_i/w_i - sum_j share_j d_j/w_j, where d is the error of delta.
    The variance of that under each member, and the spread between the members, are averaged by
    evidence. Where nothing was learned of a workload, the bank's belief does not count: it may
    believe that all are equal because no reading could show that they are not.

    Args:
        bank: the filters.
        evidence: how far each is believed.
        use: (slots,) busy threads.
        features: (f, slots)

    Returns:
        (slots,)
    """
    weights = limited(bank.weights(features))
    mixed = evidence.weights @ weights
    share = use * mixed
    share /= max(float(share.sum()), 1e-12)
    by_weight = share / mixed
    covariance = bank.delta_covariance(len(use))
    tied = covariance @ by_weight
    own = np.diagonal(covariance, axis1=1, axis2=2) / mixed**2
    variance = np.maximum(own - 2 * tied / mixed + (tied @ by_weight)[:, None], 0)
    apart = weights / mixed - 1
    apart -= (apart @ share)[:, None]
    blind = _UNLEARNED * unlearned(bank, len(use)) * (1 - share)
    deviation: Floats = np.sqrt(evidence.doubtful_weights @ (variance + apart**2) + blind**2)
    return deviation


def outside_model(share: Floats) -> Floats:
    """Relative standard deviation that no member knows of, by a row's share (0 to 1) of the use."""
    deviation: Floats = _OUTSIDE * (1 - share)
    return deviation


def of_shared_slot(evidence: Evidence) -> float:
    """Relative standard deviation of one of the many workloads that share a slot."""
    return float(np.sqrt(evidence.doubtful_weights @ SIGMA**2))
