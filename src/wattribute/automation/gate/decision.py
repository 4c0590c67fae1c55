"""Two sets of runs give a verdict: pass, regression, too noisy to tell, or not comparable."""

from dataclasses import dataclass, replace
from enum import StrEnum
from math import isfinite
from typing import Final

import numpy as np

from wattribute.automation.gate.metrics import METRICS
from wattribute.automation.gate.permutation import (
    Floats,
    PermutationTest,
    fewest_runs,
    paired,
    unpaired,
)
from wattribute.automation.gate.power import paired_spread, runs_for, smallest_regression, spread_of

_WIDEST: Final = 2
"""Pairs cancel the drift of the machine. Runs of one side that scatter by more than this many times
the allowed spread show more than drift, and a few pairs of them may agree by chance."""


class Verdict(StrEnum):
    """The possible verdicts, the most serious first."""

    REGRESSION = "regression"
    NOISY = "too noisy"
    INCOMPARABLE = "not comparable"
    PASS = "pass"  # noqa: S105 - no password


EXIT_CODES: Final = {
    Verdict.PASS: 0,
    Verdict.REGRESSION: 1,
    Verdict.NOISY: 3,
    Verdict.INCOMPARABLE: 4,
}


@dataclass(frozen=True, slots=True)
class Rules:
    """What counts as a regression. All but ``alpha`` are fractions of the base: 0.05 is 5 %."""

    max_regression: float = 0.05
    """The tolerance. A larger increase is a regression."""
    estimated_margin: float = 0.05
    """Added to the tolerance where energy is estimated."""
    min_effect: float = 0.02
    """A smaller regression never fails a build, however certain it is."""
    detect: float = 0.03
    """A pass excludes an increase of more than this beyond the tolerance."""
    max_spread: float = 0.05
    """Runs that scatter more decide nothing."""
    max_busy: float = 0.25
    """Runs are not compared with a stored baseline if other processes used a larger fraction of the
    CPU time. Runs that alternate share their neighbours, so this does not apply to them."""
    alpha: float = 0.05
    """Probability of any false alarm in one check. All comparisons of the check share it."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The comparison of one metric of one command, new against base."""

    name: str
    metric: str
    origin: str
    base: float | None
    """Geometric mean, in the unit of the metric; None without a base, or for an absolute limit."""
    new: float | None
    base_runs: int
    new_runs: int
    pairs: bool
    """Whether the runs of both sides alternated."""
    ratio: float | None
    low: float | None
    high: float | None
    """Bounds of the ratio. The true ratio is below ``low`` with a probability of at most alpha, and
    above ``high`` likewise. For an absolute limit, ratio and bounds are those of new / limit."""
    p_value: float | None
    """Probability of such runs if new were exactly at the tolerance."""
    tolerance: float
    spread: float | None
    """Run-to-run spread, of the side that scatters more."""
    finds: float | None
    """The smallest regression beyond the tolerance that these runs find in 8 of 10 builds."""
    runs_for_detect: int | None
    """Runs of each side that find ``Rules.detect`` beyond the tolerance in 8 of 10 builds."""
    runs_for_1_percent: int | None
    verdict: Verdict
    reason: str
    limit: float | None = None
    """The absolute limit, in the unit of the metric."""
    location: str = ""


@dataclass(frozen=True, slots=True)
class Sides:
    """The values of one metric on both sides, and what is known about them."""

    name: str
    metric: str
    origin: str
    """The origin of the energy, of the less certain side."""
    base: tuple[float, ...]
    new: tuple[float, ...]
    pairs: bool
    others_busy: float
    location: str = ""


def compare(sides: Sides, rules: Rules, comparisons: int) -> Comparison:
    """Compare two sides, and decide.

    Args:
        sides: Both sides, with at least one run each.
        rules: What counts as a regression.
        comparisons: How many comparisons share ``Rules.alpha`` in this check.
    """
    tolerance = tolerance_of(sides.metric, sides.origin, rules)
    base, new = np.array(sides.base, np.float64), np.array(sides.new, np.float64)
    if bad := _unusable(base, new):
        return _undecided(sides, tolerance, Verdict.NOISY, bad)
    test = paired(base, new) if sides.pairs else unpaired(base, new)
    alpha = rules.alpha / max(comparisons, 1)
    spread = paired_spread(base, new) if sides.pairs else max(spread_of(base), spread_of(new))
    verdict, reason = _verdict(test, sides, rules, (tolerance, alpha, spread))
    runs = min(len(base), len(new))
    smallest = smallest_regression(spread, runs, tolerance, alpha, pairs=sides.pairs)
    return Comparison(
        name=sides.name,
        metric=sides.metric,
        origin=sides.origin if METRICS[sides.metric].kind == "energy" else "counted",
        base=geometric_mean(base),
        new=geometric_mean(new),
        base_runs=len(base),
        new_runs=len(new),
        pairs=sides.pairs,
        ratio=test.ratio,
        low=test.low(alpha),
        high=test.high(rules.alpha),
        p_value=test.p_value(1 + tolerance),
        tolerance=tolerance,
        spread=spread,
        finds=smallest if isfinite(smallest) else None,
        runs_for_detect=_needed(rules.detect, spread, tolerance, alpha, pairs=sides.pairs),
        runs_for_1_percent=_needed(0.01, spread, tolerance, alpha, pairs=sides.pairs),
        verdict=verdict,
        reason=reason,
        location=sides.location,
    )


def against_limit(sides: Sides, limit: float, rules: Rules, comparisons: int) -> Comparison:
    """Decide whether the new runs stay below a limit (> 0).

    The verdict is PASS or REGRESSION where that is certain, and NOISY otherwise. With fewer
    runs than an interval needs, all runs must be on the same side of the limit.
    """
    new = np.array(sides.new, np.float64)
    if bad := _unusable(new, new):
        return _undecided(sides, 0.0, Verdict.NOISY, bad)
    alpha = rules.alpha / max(comparisons, 1)
    test = paired(np.full(len(new), limit), new)
    certainty = "certainly" if test.low(alpha) else f"in {len(new)} of {len(new)} runs"
    low = test.low(alpha) or float(new.min()) / limit
    high = min(test.high(rules.alpha), float(new.max()) / limit)
    mean, unit = geometric_mean(new), METRICS[sides.metric].unit
    if low > 1:
        verdict, reason = Verdict.REGRESSION, f"{certainty} more than {limit * low:.4g} {unit}"
    elif high <= 1:
        verdict, reason = Verdict.PASS, f"{certainty} less than {limit * high:.4g} {unit}"
    else:
        verdict = Verdict.NOISY
        reason = f"{limit * low:.4g} to {limit * high:.4g} {unit} is possible; use more --runs"
    return replace(
        _undecided(sides, 0.0, verdict, f"{mean:.4g} {unit}, limit {limit:g}; {reason}"),
        base_runs=0,
        new=mean,
        ratio=test.ratio,
        low=low,
        high=high,
        p_value=test.p_value(1.0),
        spread=spread_of(new),
        limit=limit,
    )


def incomparable(sides: Sides, rules: Rules, reason: str) -> Comparison:
    """Return a comparison without a verdict, because no baseline fits."""
    tolerance = tolerance_of(sides.metric, sides.origin, rules)
    return _undecided(sides, tolerance, Verdict.INCOMPARABLE, reason)


def tolerance_of(metric: str, origin: str, rules: Rules) -> float:
    """Return the tolerance; it is wider for energy that a model estimates."""
    estimated = METRICS[metric].kind == "energy" and origin == "estimated"
    return rules.max_regression + (rules.estimated_margin if estimated else 0.0)


def overall(comparisons: "tuple[Comparison, ...]") -> Verdict:
    """Return the most serious verdict."""
    verdicts = {comparison.verdict for comparison in comparisons}
    return next((verdict for verdict in Verdict if verdict in verdicts), Verdict.PASS)


def geometric_mean(values: Floats) -> float:
    """Return the geometric mean of values > 0."""
    return float(np.exp(np.log(values).mean()))


def _verdict(
    test: PermutationTest, sides: Sides, rules: Rules, limits: tuple[float, float, float]
) -> tuple[Verdict, str]:
    tolerance, alpha, spread = limits
    low, high, effect = test.low(alpha), test.high(rules.alpha), test.ratio - 1
    if noise := _noise(sides, rules, alpha, spread):
        return Verdict.NOISY, noise
    if low > 1 + tolerance and effect > rules.min_effect:
        return Verdict.REGRESSION, (
            f"{_signed(effect)}, certainly more than {_signed(low - 1)}; {_signed(tolerance)} is "
            "allowed"
        )
    if low > 1 + tolerance:
        least = _percent(rules.min_effect)
        return Verdict.PASS, f"{_signed(effect)}, which is not more than {least} (--min-effect)"
    if high > 1 + tolerance + rules.detect:
        return Verdict.NOISY, (
            f"{_signed(effect)}, but up to {_signed(high - 1)} is possible: a regression of "
            f"{_signed(tolerance + rules.detect)} cannot be excluded (--detect); use more --runs, "
            "or a quieter machine"
        )
    widest = max(spread_of(np.array(sides.base)), spread_of(np.array(sides.new)))
    if widest > _WIDEST * rules.max_spread:
        return Verdict.NOISY, (
            f"{_signed(effect)} in pairs, but the runs of one side scatter by {_percent(widest)}, "
            "too much for a pass; quiet the machine, or let a run do more work"
        )
    return Verdict.PASS, f"{_signed(effect)}, certainly less than {_signed(high - 1)}"


def _noise(sides: Sides, rules: Rules, alpha: float, spread: float) -> str:
    """Return why nothing can be decided; "" if it can."""
    fewest = fewest_runs(alpha, pairs=sides.pairs)
    if min(len(sides.base), len(sides.new)) < fewest:
        return (
            f"{len(sides.base)}+{len(sides.new)} runs cannot show anything; at least "
            f"{fewest} of each side are needed (--runs)"
        )
    if spread > rules.max_spread:
        return (
            f"runs scatter by {_percent(spread)}, more than {_percent(rules.max_spread)} "
            "(--max-spread); quiet the machine, or let a run do more work"
        )
    if not sides.pairs and sides.others_busy > rules.max_busy:
        return (
            f"other processes used {_percent(sides.others_busy)} of the CPU time, more than "
            f"{_percent(rules.max_busy)} (--max-busy); a baseline from another time is no fair "
            "comparison then; use `gate ab`"
        )
    return ""


def _unusable(base: Floats, new: Floats) -> str:
    for side, values in (("base", base), ("new", new)):
        if wrong := int((~(np.isfinite(values) & (values > 0))).sum()):
            return (
                f"{wrong} of {len(values)} runs of {side} show nothing above 0; they are too short "
                "for the meter; let a run do more work"
            )
    return ""


def _needed(
    effect: float, spread: float, tolerance: float, alpha: float, *, pairs: bool
) -> int | None:
    return runs_for(effect, spread, tolerance, alpha, pairs=pairs) if effect > 0 else None


def _undecided(sides: Sides, tolerance: float, verdict: Verdict, reason: str) -> Comparison:
    new = np.array(sides.new, np.float64)
    return Comparison(
        name=sides.name,
        metric=sides.metric,
        origin=sides.origin if METRICS[sides.metric].kind == "energy" else "counted",
        base=None,
        new=float(new.mean()) if len(new) else None,
        base_runs=len(sides.base),
        new_runs=len(sides.new),
        pairs=sides.pairs,
        ratio=None,
        low=None,
        high=None,
        p_value=None,
        tolerance=tolerance,
        spread=None,
        finds=None,
        runs_for_detect=None,
        runs_for_1_percent=None,
        verdict=verdict,
        reason=reason,
        location=sides.location,
    )


def _percent(part: float) -> str:
    return f"{100 * part:.1f} %"


def _signed(part: float) -> str:
    return f"{100 * part:+.1f} %"
