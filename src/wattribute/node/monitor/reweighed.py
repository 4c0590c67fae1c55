"""What weights leave uncertain: bands of containers, and their energy by the weights not used."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from wattribute.core.records import REWEIGHED
from wattribute.core.shares import apportion
from wattribute.core.sums import sum_by
from wattribute.node.attribution.learned.share_band import BAND
from wattribute.node.monitor.columns import Columns
from wattribute.node.sharing.sharer import Share

_MOST_DEVIATION: Final = 10.0
"""A factor of 1.4e7: beyond it nothing at all is known, and whole numbers would end."""

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
        time_uj, learned = _of_rows(share, container, gained_uj)
        is_used = share.learned_uj is None and share.deviation is not None
        low_uj, high_uj = learned[1:] if is_used else (gained_uj, gained_uj)
        sums = low_uj, high_uj, time_uj, learned[0]
        if component == "cpu":
            columns["tick_sums_uj"][:] += np.stack([*learned, time_uj], axis=1)
    for name, amount_uj in zip(REWEIGHED, sums, strict=True):
        columns[name][:, channel] += amount_uj
    if component not in (None, "other"):
        columns["parts_uj"][:] += np.stack([gained_uj, *sums], axis=1)


def _of_rows(
    share: Share, container: NDArray[np.int64], gained_uj: NDArray[np.int64]
) -> tuple[NDArray[np.int64], tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]]:
    """Return energy by CPU time, and by learned weights with the ends of its band.

    Errors of one workload's weight last, so that the ends of bands add up tick by tick. Nobody can
    have used more than there was.
    """
    size = len(gained_uj)
    time_uj = gained_uj if share.time_uj is None else sum_by(container, share.time_uj, size)
    of_rows = share.attribution.dynamic_uj if share.learned_uj is None else share.learned_uj
    learned_uj = gained_uj if share.learned_uj is None else sum_by(container, of_rows, size)
    if share.deviation is None:
        return time_uj, (learned_uj, learned_uj, learned_uj)
    factor = np.exp(BAND * np.minimum(share.deviation, _MOST_DEVIATION))
    low_uj = sum_by(container, np.floor(of_rows / factor).astype(np.int64), size)
    most_uj = int(of_rows.sum())
    high_of_rows = np.minimum(np.ceil(of_rows * factor), most_uj).astype(np.int64)
    high_uj = np.minimum(sum_by(container, high_of_rows, size), most_uj)
    return time_uj, (learned_uj, low_uj, np.maximum(high_uj, learned_uj))


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

    Energy by learned weights over energy by CPU time is the weight against the mean of the node.
    """
    sums = columns["tick_sums_uj"]
    ran = sums[:, 3] > 0
    columns["watts_per_core"][ran] = sums[ran, :3] / sums[ran, 3:]
    sums[:] = 0
