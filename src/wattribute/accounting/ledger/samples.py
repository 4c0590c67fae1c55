"""Scraped samples of one counter or gauge of an agent, whichever targets it was scraped from."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from wattribute.accounting.ledger.families import Target
from wattribute.accounting.promql.matrix import SampleSeries

OwnLabels = tuple[tuple[str, str], ...]
"""The labels that the agent gave a series, sorted."""


class ScrapedSamples(NamedTuple):
    """Values at instants; (n,) each, the instants rising."""

    time_ms: NDArray[np.int64]
    """Unix milliseconds."""
    values: NDArray[np.float64]


NO_SAMPLES: Final = ScrapedSamples(np.zeros(0, np.int64), np.zeros(0, np.float64))


def own_labels(series: SampleSeries, target: Target) -> OwnLabels:
    """Return the labels of a series without those of its target."""
    foreign = {name for name, _ in target}
    return tuple(sorted(pair for pair in series.labels.items() if pair[0] not in foreign))


def in_order(pieces: Sequence[SampleSeries]) -> ScrapedSamples:
    """Put the series of targets that followed each other one after the other."""
    if len(pieces) == 1:
        return ScrapedSamples(pieces[0].time_ms, pieces[0].values)
    time_ms, first = np.unique(np.concatenate([p.time_ms for p in pieces]), return_index=True)
    return ScrapedSamples(time_ms, np.concatenate([p.values for p in pieces])[first])
