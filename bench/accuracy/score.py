"""How far off a method was in one world, and over several seeds."""

from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np

from bench.accuracy.play import BAND, Reported, first_scored
from bench.accuracy.worlds.world import Array, World

_COUNTS: Final = 0.002
"""Workloads with less than this share of the energy are left out of the band's score."""
_LARGE: Final = 0.02
"""The worst one is looked for among workloads with at least this share of the energy."""
_TINY: Final = 1e-12
_NO_ERROR: Final = 1e-8
"""Squares of relative errors below this are rounding: no band is asked for."""


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """One method in one world, or the mean of several seeds. Errors are in percent."""

    error: float
    """Sum over workloads of abs(reported - true) over the energy given to workloads, the truth
    scaled to that energy: what the division alone does wrong."""
    raw_error: float
    """Sum over workloads of abs(reported - true) over the true dynamic energy: a wrong floor, and
    idle power that is spread, count too."""
    worst: float
    """Largest error of one owner, of those above 2 % of the energy."""
    misfit: float
    """(Joules given to workloads + idle joules) over the measured ones, less 1."""
    tick_ms: float
    """Median CPU time of one tick."""
    covers: float | None = None
    """Owners whose true energy lies in the band; None: the method gives no band."""
    half_width: float | None = None
    """Half of the band over the reported energy, all owners together."""
    error_squared: float = 0.0
    """Square of the relative error of an owner: mean, weighted by energy."""

    @property
    def width_ratio(self) -> float | None:
        """How many times as wide the band is as the errors ask; 1 is right.

        The standard deviation that the band claims (half of it, over 1.645), divided by the root
        mean square of the relative errors.
        """
        if self.half_width is None or self.error_squared < _NO_ERROR:
            return None
        return self.half_width / 100 / BAND / float(np.sqrt(self.error_squared))


def score(world: World, report: Reported, scored_from: float = 0.5) -> Score:
    """Compare what a method reported with the truth."""
    first = first_scored(world, scored_from)
    true_joules = world.true_watts[first:].sum(0) * world.tick_s
    total, given = float(true_joules.sum()), float(report.joules.sum())
    measured = float(world.power_watts[first:].sum()) * world.tick_s
    _, places = np.unique(world.owners, return_inverse=True)
    truth, said, low, high = (
        np.bincount(places, values)
        for values in (true_joules * given / total, report.joules, report.low, report.high)
    )
    counts, large = truth > _COUNTS * truth.sum(), truth > _LARGE * truth.sum()
    error = np.abs(said - truth)
    plain = Score(
        error=100 * _distance(report.joules / max(given, _TINY), true_joules / total),
        raw_error=100 * _distance(report.joules, true_joules) / total,
        worst=100 * float((error[large] / truth[large]).max(initial=0.0)),
        misfit=100 * ((given + report.idle_joules) / measured - 1),
        tick_ms=1000 * float(np.median(report.tick_seconds)),
    )
    if not report.banded or not counts.any():
        return plain
    inside = (low <= truth) & (truth <= high)
    half = (high - low)[counts] / 2
    return msgspec.structs.replace(
        plain,
        covers=100 * float(inside[counts].mean()),
        half_width=100 * float(half.sum() / said[counts].sum()),
        error_squared=float((error[counts] ** 2 / truth[counts]).sum() / truth[counts].sum()),
    )


def _distance(left: Array, right: Array) -> float:
    return float(np.abs(left - right).sum())


def mean_score(scores: Sequence[Score]) -> Score:
    """Return the mean of several seeds, field by field."""
    fields = {name: [getattr(one, name) for one in scores] for name in Score.__struct_fields__}
    return Score(
        **{
            name: None if any(value is None for value in values) else float(np.mean(values))
            for name, values in fields.items()
        }
    )
