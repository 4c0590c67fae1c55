"""Which of the two factors of CPU energy changed: CPU time, or the watts of each busy core.

The dynamic energy of a CPU is CPU time x watts per core. Where a meter measures it, the second
factor says what CPU time cannot: wider vector code, or fewer waits for memory. An estimate is made
from CPU time, so it has no second factor. An explanation stands beside the verdict, and never
changes it.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np

from wattribute.automation.gate.decision import Rules, geometric_mean
from wattribute.automation.gate.permutation import Floats, paired, unpaired
from wattribute.automation.gate.power import paired_spread, spread_of
from wattribute.automation.gate.series import RunSeries

_BOUNDS: Final = 4
"""Two bounds for each of two factors: they share ``Rules.alpha``."""
_NOUNS: Final = {"cpu_s": "CPU time", "watts_per_core": "watts per core"}


class Movement(StrEnum):
    """What is known of one factor."""

    CHANGED = "changed"
    """The bounds exclude "no change", and the change is larger than ``Rules.min_effect``."""
    SAME = "same"
    """The bounds exclude a change of more than the tolerance (of ``Rules.detect``, if larger)."""
    UNCLEAR = "not clear"


class Cause(StrEnum):
    """Which factor changed."""

    WATTS_PER_CORE = "watts per core"
    CPU_TIME = "CPU time"
    BOTH = "both"
    NEITHER = "neither"
    UNCLEAR = "not clear"
    """At least one factor is not clear."""


@dataclass(frozen=True, slots=True)
class FactorChange:
    """The change of one factor, new against base."""

    metric: str
    """``cpu_s``, ``watts_per_core``, or ``busy_cores`` (CPU time / time)."""
    base: float
    """Geometric mean, in seconds, watts or cores."""
    new: float
    ratio: float
    low: float
    """The true ratio is below ``low``, or above ``high``, with a probability of at most a quarter
    of ``Rules.alpha`` each. With too few runs they are 0 and infinity."""
    high: float
    movement: Movement


@dataclass(frozen=True, slots=True)
class FactorExplanation:
    """What moved between the two sides of one command."""

    name: str
    cause: Cause
    cpu_time: FactorChange
    watts_per_core: FactorChange
    busy_cores: FactorChange
    """A fuller machine needs other watts for each core, whatever the code does."""
    text: str


def explain(
    base: RunSeries, new: RunSeries, rules: Rules, *, pairs: bool
) -> FactorExplanation | None:
    """Explain the change of CPU energy by its factors.

    Args:
        base: The runs to compare with.
        new: The new runs.
        rules: Their alpha, tolerance, spread and limit of other load hold here too.
        pairs: Whether the runs of both sides alternated.

    Returns:
        None where nothing can be said: energy is estimated on a side, CPU time is unknown, or a run
        shows nothing above 0.
    """
    values = {
        metric: (np.array(base.values(metric)), np.array(new.values(metric)))
        for metric in ("cpu_s", "watts_per_core", "elapsed_s")
    }
    for side in (array for sides in values.values() for array in sides):
        if not len(side) or not (np.isfinite(side) & (side > 0)).all():
            return None
    busy = max(base.others_busy, new.others_busy) > rules.max_busy
    values["busy_cores"] = (
        values["cpu_s"][0] / values["elapsed_s"][0],
        values["cpu_s"][1] / values["elapsed_s"][1],
    )
    time, watts, cores = (
        _change(metric, *values[metric], rules, pairs=pairs, is_usable=not busy)
        for metric in ("cpu_s", "watts_per_core", "busy_cores")
    )
    text = f"{_phrase(time)}, {_phrase(watts)}"
    if busy:
        text += "; other processes were busy (--max-busy), and their watts are in the mean"
    elif watts.movement is Movement.CHANGED and cores.movement is Movement.CHANGED:
        text += (
            f"; {cores.new:.2g} cores were busy instead of {cores.base:.2g}, which changes the "
            "watts of each"
        )
    elif watts.movement is Movement.CHANGED:
        text += (
            "; wider vector code, or fewer waits for memory?"
            if watts.ratio > 1
            else "; narrower vector code, or more waits for memory?"
        )
    return FactorExplanation(new.name, _cause(time, watts), time, watts, cores, text)


def _change(
    metric: str, base: Floats, new: Floats, rules: Rules, *, pairs: bool, is_usable: bool
) -> FactorChange:
    test = paired(base, new) if pairs else unpaired(base, new)
    low, high = test.low(rules.alpha / _BOUNDS), test.high(rules.alpha / _BOUNDS)
    spread = paired_spread(base, new) if pairs else max(spread_of(base), spread_of(new))
    widest = max(rules.max_regression, rules.detect)
    if spread > rules.max_spread or not is_usable:
        movement = Movement.UNCLEAR
    elif not low <= 1 <= high and abs(test.ratio - 1) > rules.min_effect:
        movement = Movement.CHANGED
    elif 1 - widest <= low and high <= 1 + widest:
        movement = Movement.SAME
    else:
        movement = Movement.UNCLEAR
    return FactorChange(
        metric, geometric_mean(base), geometric_mean(new), test.ratio, low, high, movement
    )


def _cause(time: FactorChange, watts: FactorChange) -> Cause:
    if Movement.UNCLEAR in (time.movement, watts.movement):
        return Cause.UNCLEAR
    return {
        (True, True): Cause.BOTH,
        (True, False): Cause.CPU_TIME,
        (False, True): Cause.WATTS_PER_CORE,
        (False, False): Cause.NEITHER,
    }[time.movement is Movement.CHANGED, watts.movement is Movement.CHANGED]


def _phrase(change: FactorChange) -> str:
    noun, size = _NOUNS[change.metric], f"{100 * (change.ratio - 1):+.1f} %"
    low = f"{100 * (change.low - 1):+.1f}" if change.low else "?"
    high = f"{100 * (change.high - 1):+.1f}" if np.isfinite(change.high) else "?"
    match change.movement:
        case Movement.CHANGED:
            return f"{size} {noun} ({low} to {high})"
        case Movement.SAME:
            return f"same {noun} ({low} to {high} %)"
        case Movement.UNCLEAR:
            return f"{noun} not clear ({size}, {low} to {high})"
