"""What weights leave uncertain: bands of containers, and their energy by the weights not used."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from wattribute.core.shares import apportion
from wattribute.core.sums import sum_by
from wattribute.node.attribution.learned.share_band import BAND
from wattribute.node.monitor.columns import Columns
from wattribute.node.sharing.sharer import Share

SUMS: Final = ("low_uj", "high_uj", "time_uj", "learned_uj")
"""Columns of containers, (channels,): ends of the band around the dynamic energy, and what it would
be by CPU time and by learned weights."""

Sums = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]


def book_sums(
    columns: Columns,
    share: Share,
    container: NDArray[np.int64],
    gained_uj: NDArray[np.int64],
    channel: int,
) -> None:
    """Add an attribution to the sums of containers.

    Args:
        columns: of containers, c rows.
        share: the attribution.
        container: (n,) container row of each of its rows.
        gained_uj: (c,) dynamic energy that each container got.
        channel: its column.
    """
    component = share.attribution.interval.zone.component
    if component == "other":
        sums = _as_the_parts(columns, gained_uj)
        columns["parts_uj"][:] = 0
    else:
        sums = _of_rows(share, container, gained_uj)
    for name, amount_uj in zip(SUMS, sums, strict=True):
        columns[name][:, channel] += amount_uj
    if component not in (None, "other"):
        columns["parts_uj"][:] += np.stack([gained_uj, *sums], axis=1)
    if component == "cpu":
        columns["tick_sums_uj"][:] += np.stack([gained_uj, *sums], axis=1)


def _of_rows(share: Share, container: NDArray[np.int64], gained_uj: NDArray[np.int64]) -> Sums:
    """Errors of one workload's weight last, so that the ends of bands add up tick by tick."""
    low_uj = high_uj = time_uj = learned_uj = gained_uj
    size = len(gained_uj)
    if share.deviation is not None:
        dynamic_uj = share.attribution.dynamic_uj
        factor = np.exp(BAND * share.deviation)
        low_uj = sum_by(container, np.floor(dynamic_uj / factor).astype(np.int64), size)
        high_uj = sum_by(container, np.ceil(dynamic_uj * factor).astype(np.int64), size)
    if share.unused_uj is not None:
        unused_uj = sum_by(container, share.unused_uj, size)
        if share.unused_name == "time":
            time_uj = unused_uj
        else:
            learned_uj = unused_uj
    return low_uj, high_uj, time_uj, learned_uj


def _as_the_parts(columns: Columns, gained_uj: NDArray[np.int64]) -> Sums:
    """The rest of the platform follows the other components, and so do its bands."""
    dynamic_uj, low_uj, high_uj, time_uj, learned_uj = columns["parts_uj"].T
    whole_uj = int(gained_uj.sum())
    part = gained_uj / np.maximum(dynamic_uj, 1)
    return (
        np.minimum(np.floor(low_uj * part).astype(np.int64), gained_uj),
        np.maximum(np.ceil(high_uj * part).astype(np.int64), gained_uj),
        apportion(whole_uj, time_uj) if time_uj.any() else gained_uj,
        apportion(whole_uj, learned_uj) if learned_uj.any() else gained_uj,
    )


def note_ratios(columns: Columns) -> None:
    """Keep the watts per core of each container that ran in this tick, and the ends of its band.

    Energy by weight over energy by CPU time is the weight against the mean of the node.
    """
    sums = columns["tick_sums_uj"]
    dynamic_uj, low_uj, high_uj, time_uj, learned_uj = sums.T
    ran = time_uj > 0
    if (low_uj == high_uj).all() and (dynamic_uj == time_uj).all():  # in shadow
        low_uj = high_uj = dynamic_uj = learned_uj
    ratios = np.stack([dynamic_uj, low_uj, high_uj], axis=1)[ran] / time_uj[ran, None]
    columns["watts_per_core"][ran] = ratios
    sums[:] = 0
