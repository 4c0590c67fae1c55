"""What several formats say alike."""

import re
from typing import Final

from wattribute.automation.gate.check import Report
from wattribute.automation.gate.decision import Comparison, Verdict
from wattribute.automation.gate.metrics import METRICS

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069]")

TITLES: Final = {
    Verdict.PASS: "Energy gate: passed",
    Verdict.REGRESSION: "Energy gate: regression",
    Verdict.NOISY: "Energy gate: too noisy to tell",
    Verdict.INCOMPARABLE: "Energy gate: no comparable baseline",
}


def one_line(text: str) -> str:
    """The text without control characters: names are chosen by strangers."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def sentence(comparison: Comparison) -> str:
    """``tests: energy_j: regression: +9.8 %, and surely ...``."""
    said = f"{comparison.name}: {comparison.metric}: {comparison.verdict}: {comparison.reason}"
    return one_line(said)


def amount(value: float | None, metric: str) -> str:
    """``12.34 J``; ``-`` where it is not known."""
    if value is None:
        return "-"
    return f"{value:.4g} {METRICS[metric].unit}".strip()


def change(comparison: Comparison) -> str:
    """``+1.2 %`` and its interval."""
    if comparison.ratio is None:
        return "-"
    low = "?" if not comparison.low else f"{100 * (comparison.low - 1):+.1f}"
    known = comparison.high is not None and comparison.high != float("inf")
    high = f"{100 * ((comparison.high or 0) - 1):+.1f}" if known else "?"
    return f"{100 * (comparison.ratio - 1):+.1f} % ({low} to {high})"


def allowed(comparison: Comparison) -> str:
    """The tolerance, or the absolute limit."""
    if comparison.limit is not None:
        return f"< {amount(comparison.limit, comparison.metric)}"
    return f"{100 * comparison.tolerance:+.1f} %"


def power(comparison: Comparison, report: Report) -> str:
    """What such runs could have found; "" where nothing was compared."""
    if comparison.spread is None or comparison.limit is not None:
        return ""
    runs = f"{comparison.base_runs}+{comparison.new_runs} runs"
    scatter = f"that scatter by {100 * comparison.spread:.1f} %"
    beyond = f" beyond {100 * comparison.tolerance:g} %" if comparison.tolerance else ""
    if comparison.finds is None:
        said = f"{runs} {scatter} find nothing"
    else:
        said = f"{runs} {scatter} find +{100 * comparison.finds:.1f} %{beyond} in 8 of 10 builds"
    if needed := comparison.runs_for_1_percent:
        said += f"; +1 % needs {needed}+{needed}"
    if (needed := comparison.runs_for_detect) and report.rules.detect != 0.01:
        said += f", +{100 * report.rules.detect:g} % {needed}+{needed}"
    return f"{one_line(comparison.name)}: {comparison.metric}: {said}"


def place(comparison: Comparison, default: str) -> tuple[str, int]:
    """File and line that an annotation points at."""
    file, _, line = comparison.location.rpartition(":")
    if file and line.isdigit():
        return file, max(int(line), 1)
    return comparison.location or default, 1
