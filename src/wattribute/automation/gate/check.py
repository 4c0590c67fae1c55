"""A check compares runs with a baseline or with limits, and gives one verdict."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from wattribute import __version__
from wattribute.automation.gate.baseline import find
from wattribute.automation.gate.decision import (
    Comparison,
    Rules,
    Sides,
    Verdict,
    against_limit,
    compare,
    incomparable,
    overall,
)
from wattribute.automation.gate.explanation import FactorExplanation, explain
from wattribute.automation.gate.metrics import METRICS
from wattribute.automation.gate.series import RunSeries
from wattribute.core.errors import ConfigInvalid, DataInvalid

_LIMIT: Final = re.compile(r"\s*(\w+)\s*<=?\s*([0-9.]+(?:[eE][-+]?\d+)?)\s*")
_MADE_BY: Final = "`gate baseline update`"
_WORST_FIRST: Final = ("estimated", "integrated", "measured")


@dataclass(frozen=True, slots=True)
class Limit:
    """An absolute limit that a metric must stay below."""

    metric: str
    value: float


@dataclass(frozen=True, slots=True)
class GateReport:
    """The comparisons of a check, and the verdict."""

    verdict: Verdict
    """The most serious verdict of all comparisons."""
    comparisons: tuple[Comparison, ...]
    rules: Rules
    base: str
    """What the new runs are compared with, in words."""
    new: str
    machine: str
    """CPU, meters and power model, in words."""
    notes: tuple[str, ...] = ()
    explanations: tuple[FactorExplanation, ...] = ()
    """For each command that was measured on both sides: whether CPU time or watts per core moved.
    """
    version: str = __version__


def parse_metrics(text: str) -> tuple[str, ...]:
    """Parse names of metrics that are separated by commas.

    Raises:
        ConfigInvalid: A name is unknown, or the text holds none.
    """
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    for name in names or ("",):
        if name not in METRICS:
            raise ConfigInvalid(
                f"--metric {name or text!r}: unknown metric; use one of {', '.join(METRICS)}"
            )
    return names


def parse_limit(text: str) -> Limit:
    """Parse a limit such as ``energy_j<500``.

    Raises:
        ConfigInvalid: The text has another form, or the metric is unknown.
    """
    match = _LIMIT.fullmatch(text)
    if match is None:
        raise ConfigInvalid(f"--absolute {text!r}: must be METRIC<NUMBER, as in energy_j<500")
    try:
        value = float(match[2])
    except ValueError:
        raise ConfigInvalid(f"--absolute {text!r}: {match[2]!r} is not a number") from None
    if value <= 0:
        raise ConfigInvalid(f"--absolute {text!r}: the limit must be greater than 0")
    return Limit(parse_metrics(match[1])[0], value)


def check(
    fresh: Sequence[RunSeries],
    baseline: Sequence[RunSeries] | None,
    metrics: Sequence[str],
    limits: Sequence[Limit],
    rules: Rules,
) -> GateReport:
    """Compare fresh runs with a stored baseline, and with absolute limits.

    Args:
        fresh: The runs, at least one series.
        baseline: Entries to compare with; None checks the limits alone.
        metrics: Metrics to compare with the baseline.
        limits: Absolute limits.
        rules: What counts as a regression.

    Raises:
        DataInvalid: A metric was not measured.
    """
    matches = (
        [(series, *find(baseline, series, made_by=_MADE_BY)) for series in fresh]
        if baseline is not None
        else []
    )
    number = len(matches) * len(metrics) + len(fresh) * len(limits)
    comparisons = [
        _with_baseline(series, old, reason, metric, rules, number)
        for series, old, reason in matches
        for metric in metrics
    ]
    comparisons += [
        against_limit(_sides(series, series, limit.metric), limit.value, rules, number)
        for series in fresh
        for limit in limits
    ]
    dates = sorted({f"{old.at} {old.revision}".strip() for _, old, _ in matches if old is not None})
    explanations = (
        explain(old, series, rules, pairs=False) for series, old, _ in matches if old is not None
    )
    return _report(comparisons, rules, ", ".join(dates) or "absolute limits", fresh, explanations)


def check_sides(
    base: RunSeries, new: RunSeries, metrics: Sequence[str], limits: Sequence[Limit], rules: Rules
) -> GateReport:
    """Compare two series whose runs alternated.

    Raises:
        DataInvalid: A metric was not measured.
    """
    number = len(metrics) + len(limits)
    comparisons = [compare(_sides(base, new, m, pairs=True), rules, number) for m in metrics]
    comparisons += [
        against_limit(_sides(new, new, limit.metric), limit.value, rules, number)
        for limit in limits
    ]
    explanations = (explain(base, new, rules, pairs=True),)
    return _report(comparisons, rules, f"{base.name} {base.revision}".strip(), (new,), explanations)


def _report(
    comparisons: Iterable[Comparison],
    rules: Rules,
    base: str,
    fresh: Sequence[RunSeries],
    explanations: Iterable[FactorExplanation | None],
) -> GateReport:
    compared = tuple(comparisons)
    first = fresh[0]
    notes = {note: None for series in fresh for note in series.notes}
    return GateReport(
        verdict=overall(compared),
        comparisons=compared,
        rules=rules,
        base=base,
        new=f"{first.at} {first.revision}".strip(),
        machine=", ".join(f"{name} {value}" for name, value in sorted(first.key.items())),
        notes=tuple(notes),
        explanations=tuple(explanation for explanation in explanations if explanation is not None),
    )


def _with_baseline(  # noqa: PLR0917 - two sides, a metric, the rules
    fresh: RunSeries, old: RunSeries | None, reason: str, metric: str, rules: Rules, number: int
) -> Comparison:
    sides = _sides(old or fresh, fresh, metric)
    if old is None:
        return incomparable(sides, rules, reason)
    if not sides.base:
        return incomparable(
            sides, rules, f"the baseline has no {metric}; store a new one with {_MADE_BY}"
        )
    return compare(sides, rules, number)


def _sides(base: RunSeries, new: RunSeries, metric: str, *, pairs: bool = False) -> Sides:
    values = new.values(metric)
    if not values:
        measured = ", ".join(name for name in METRICS if new.values(name))
        raise DataInvalid(
            f"{new.name}: {metric} was not measured{_why(metric)}; measured: {measured}"
        )
    origins = {base.origin, new.origin}
    return Sides(
        name=new.name,
        metric=metric,
        origin=next((origin for origin in _WORST_FIRST if origin in origins), ""),
        base=base.values(metric),
        new=values,
        pairs=pairs,
        others_busy=max(base.others_busy, new.others_busy),
        location=new.location,
    )


def _why(metric: str) -> str:
    return {
        "co2e_g": ": `gate run` needs --g-per-kwh",
        "energy_per_unit": ": `gate run` needs --units or --units-file",
        "instructions": ": it needs a hardware counter, and root to load eBPF (--activity cycles)",
        "cycles": ": it needs a hardware counter, and root to load eBPF (--activity cycles)",
        "energy_j": ": there is no meter here, and no estimate",
        "watts_per_core": ": it needs a meter of the CPU; an estimate is made from CPU time",
    }.get(metric, "")
