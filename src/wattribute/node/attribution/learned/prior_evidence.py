"""What other nodes' weights say about the filters: whether workloads differ at all, and how far."""

from collections.abc import Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from wattribute.core.records import LOG_SPREAD
from wattribute.node.attribution.learned.filters import MEMBERS, SIGMA

Floats = NDArray[np.float64]

_LEAST_LEARNED: Final = 0.02
_MOST_NATS: Final = 20.0
"""More than the lead of "all equal", which must go for priors to count at once; and little enough
that two hours on a node on which all are equal turn it round."""


def prior_evidence(priors: Iterable[tuple[float, float]]) -> Floats:
    """Return (members,) nats by which each filter foretells the priors; 0 for the best.

    A prior is the posterior N(m, s^2) of ln w under N(0, s0^2), s0 = ``LOG_SPREAD``. So the data
    behind it say y = m / g with variance v = s^2 / g, g = 1 - s^2 / s0^2, and a filter that
    believes in N(0, sigma^2) expects them with the density N(y; 0, sigma^2 + v) (the marginal
    likelihood of a random effect). Without priors, and with priors that know nothing, it is 0.

    Args:
        priors: delta and its standard deviation.
    """
    deltas = np.array(list(priors), np.float64).reshape(-1, 2)
    ratio = 1 + deltas[:, 0]
    variance = (deltas[:, 1] / ratio) ** 2
    learned = 1 - variance / LOG_SPREAD**2
    enough = learned >= _LEAST_LEARNED
    data = np.log(ratio[enough]) / learned[enough]
    total = SIGMA[:, None] ** 2 + variance[enough] / learned[enough]
    nats = -0.5 * (np.log(total) + data**2 / total).sum(axis=1)
    evidence: Floats = (
        np.maximum(nats - nats.max(), -_MOST_NATS) if len(data) else np.zeros(MEMBERS)
    )
    return evidence
