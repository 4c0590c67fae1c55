"""From two sets of runs to an answer: pass, regression, too noisy to tell, or not comparable."""

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
from wattribute.automation.gate.power import found, paired_spread, runs_for, spread_of

_WIDEST: Final = 2
"""Pairs cancel the machine's drift. Runs of one side that scatter by more than this many times the
allowed spread are no drift any more, and their few pairs may agree by chance."""


class Verdict(StrEnum):
    """The answers, the one that counts most first."""

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
    """When a regression is one. All but alpha are parts of the base: 0.05 is 5 %."""

    max_regression: float = 0.05
    """The tolerance: more than this is a regression."""
    estimated_margin: float = 0.05
    """Added to the tolerance for energy that is estimated."""
    min_effect: float = 0.02
    """A regression smaller than this never fails a build, however surely it is there."""
    detect: float = 0.03
    """A pass means: more than this beyond the tolerance is excluded."""
    max_spread: float = 0.05
    """With runs that scatter more, nothing is decided."""
    max_busy: float = 0.25
    """With more of the machine's CPU time in other hands, nothing is compared with a stored
    baseline. Runs made in turn have the same neighbours."""
    alpha: float = 0.05
    """Chance of any false alarm in one check; shared among all its comparisons."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """One metric of one command, new against base."""

    name: str
    metric: str
    origin: str
    base: float | None
    """Geometric mean, in the metric's unit; None: there is none (not comparable, absolute)."""
    new: float | None
    base_runs: int
    new_runs: int
    pairs: bool
    """Runs were made in turn."""
    ratio: float | None
    low: float | None
    high: float | None
    """Bounds of the ratio: below ``low`` with alpha at most, above ``high`` likewise. Of an
    absolute limit: ratio and bounds of new / limit."""
    p_value: float | None
    """Chance of such runs, if new were at the tolerance."""
    tolerance: float
    spread: float | None
    """Run-to-run, the wider of both sides."""
    finds: float | None
    """Smallest regression beyond the tolerance that these runs find in 8 of 10 builds."""
    runs_for_detect: int | None
    """Runs of each side to find ``Rules.detect`` beyond the tolerance in 8 of 10 builds."""
    runs_for_1_percent: int | None
    verdict: Verdict
    reason: str
    limit: float | None = None
    """An absolute limit, in the metric's unit."""
    location: str = ""


@dataclass(frozen=True, slots=True)
class Sides:
    """What is compared: one metric's values, and what is known of them."""

    name: str
    metric: str
    origin: str
    """Of the energy, the less certain of both sides."""
    base: tuple[float, ...]
    new: tuple[float, ...]
    pairs: bool
    others_busy: float
    location: str = ""


def compare(sides: Sides, rules: Rules, comparisons: int) -> Comparison:
    """Decide.

    Args:
        sides: at least one run each.
        rules: when a regression is one.
        comparisons: how many share the alarms of this check.
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
    smallest = found(spread, runs, tolerance, alpha, pairs=sides.pairs)
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
    """Decide whether ``sides.new`` stays below a limit (> 0): surely, surely not, or not to tell.

    With fewer runs than an interval needs, all of them must be on the same side.
    """
    new = np.array(sides.new, np.float64)
    if bad := _unusable(new, new):
        return _undecided(sides, 0.0, Verdict.NOISY, bad)
    alpha = rules.alpha / max(comparisons, 1)
    test = paired(np.full(len(new), limit), new)
    sure = "surely" if test.low(alpha) else f"in {len(new)} of {len(new)} runs"
    low = test.low(alpha) or float(new.min()) / limit
    high = min(test.high(rules.alpha), float(new.max()) / limit)
    mean, unit = geometric_mean(new), METRICS[sides.metric].unit
    if low > 1:
        verdict, reason = Verdict.REGRESSION, f"{sure} more than {limit * low:.4g} {unit}"
    elif high <= 1:
        verdict, reason = Verdict.PASS, f"{sure} less than {limit * high:.4g} {unit}"
    else:
        verdict = Verdict.NOISY
        reason = f"{limit * low:.4g} to {limit * high:.4g} {unit} is possible: more --runs"
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
    """There is nothing like it to compare with."""
    tolerance = tolerance_of(sides.metric, sides.origin, rules)
    return _undecided(sides, tolerance, Verdict.INCOMPARABLE, reason)


def tolerance_of(metric: str, origin: str, rules: Rules) -> float:
    """The tolerance; wider for what a model says."""
    estimated = METRICS[metric].kind == "energy" and origin == "estimated"
    return rules.max_regression + (rules.estimated_margin if estimated else 0.0)


def overall(comparisons: "tuple[Comparison, ...]") -> Verdict:
    """The one that counts most."""
    said = {comparison.verdict for comparison in comparisons}
    return next((verdict for verdict in Verdict if verdict in said), Verdict.PASS)


def geometric_mean(values: Floats) -> float:
    """Of values > 0."""
    return float(np.exp(np.log(values).mean()))


def _verdict(
    test: PermutationTest, sides: Sides, rules: Rules, known: tuple[float, float, float]
) -> tuple[Verdict, str]:
    tolerance, alpha, spread = known
    low, high, effect = test.low(alpha), test.high(rules.alpha), test.ratio - 1
    if noise := _noise(sides, rules, alpha, spread):
        return Verdict.NOISY, noise
    if low > 1 + tolerance and effect > rules.min_effect:
        return Verdict.REGRESSION, (
            f"{_signed(effect)}, and surely more than {_signed(low - 1)}; allowed is "
            f"{_signed(tolerance)}"
        )
    if low > 1 + tolerance:
        least = _percent(rules.min_effect)
        return Verdict.PASS, f"{_signed(effect)}: no more than {least} (--min-effect)"
    if high > 1 + tolerance + rules.detect:
        return Verdict.NOISY, (
            f"{_signed(effect)}, but up to {_signed(high - 1)} is possible: a regression of "
            f"{_signed(tolerance + rules.detect)} cannot be excluded (--detect): more --runs, or "
            "a quieter machine"
        )
    widest = max(spread_of(np.array(sides.base)), spread_of(np.array(sides.new)))
    if widest > _WIDEST * rules.max_spread:
        return Verdict.NOISY, (
            f"{_signed(effect)} in pairs, but runs of one side scatter by {_percent(widest)}: no "
            "ground for a pass; quiet the machine, or let a run do more work"
        )
    return Verdict.PASS, f"{_signed(effect)}, and surely less than {_signed(high - 1)}"


def _noise(sides: Sides, rules: Rules, alpha: float, spread: float) -> str:
    """Why nothing can be decided; "" if it can."""
    fewest = fewest_runs(alpha, pairs=sides.pairs)
    if min(len(sides.base), len(sides.new)) < fewest:
        return (
            f"{len(sides.base)}+{len(sides.new)} runs cannot show anything: at least "
            f"{fewest} of each are needed (--runs)"
        )
    if spread > rules.max_spread:
        return (
            f"runs scatter by {_percent(spread)}, more than {_percent(rules.max_spread)} "
            "(--max-spread): quiet the machine, or let a run do more work"
        )
    if not sides.pairs and sides.others_busy > rules.max_busy:
        return (
            f"others had {_percent(sides.others_busy)} of the machine's CPU time, more than "
            f"{_percent(rules.max_busy)} (--max-busy): a baseline made at another time is no "
            "measure; `gate ab` is"
        )
    return ""


def _unusable(base: Floats, new: Floats) -> str:
    for side, values in (("base", base), ("new", new)):
        if wrong := int((~(np.isfinite(values) & (values > 0))).sum()):
            return (
                f"{wrong} of {len(values)} runs of {side} show nothing above 0: too short for the "
                "meter; let a run do more work"
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
