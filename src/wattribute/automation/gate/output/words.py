"""Phrases that several formats share."""

import re
from typing import Final

from wattribute.automation.gate.check import GateReport
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
    """Replace control characters in a text, because strangers choose the names in it."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def sentence(comparison: Comparison, report: GateReport) -> str:
    """Describe a comparison: ``tests: energy_j: regression: +9.8 %, certainly ...``."""
    text = f"{comparison.name}: {comparison.metric}: {comparison.verdict}: {comparison.reason}"
    if moved := explained(comparison, report):
        text += f"; {moved}"
    return one_line(text)


def explained(comparison: Comparison, report: GateReport) -> str:
    """Say whether CPU time or watts per core moved, beside energy; "" where nobody knows."""
    if comparison.limit is not None or METRICS[comparison.metric].kind != "energy":
        return ""
    texts = (
        explanation.text
        for explanation in report.explanations
        if explanation.name == comparison.name
    )
    return next(texts, "")


def amount(value: float | None, metric: str) -> str:
    """Format a value with its unit, as in ``12.34 J``; an unknown one is ``-``."""
    if value is None:
        return "-"
    return f"{value:.4g} {METRICS[metric].unit}".strip()


def change(comparison: Comparison) -> str:
    """Format the change and its interval, as in ``+1.2 % (-0.4 to +2.8)``."""
    if comparison.ratio is None:
        return "-"
    low = "?" if not comparison.low else f"{100 * (comparison.low - 1):+.1f}"
    bounded = comparison.high is not None and comparison.high != float("inf")
    high = f"{100 * ((comparison.high or 0) - 1):+.1f}" if bounded else "?"
    return f"{100 * (comparison.ratio - 1):+.1f} % ({low} to {high})"


def allowed(comparison: Comparison) -> str:
    """Format the tolerance, or the absolute limit."""
    if comparison.limit is not None:
        return f"< {amount(comparison.limit, comparison.metric)}"
    return f"{100 * comparison.tolerance:+.1f} %"


def power(comparison: Comparison, report: GateReport) -> str:
    """Describe what such runs can find; "" where nothing was compared."""
    if comparison.spread is None or comparison.limit is not None:
        return ""
    runs = f"{comparison.base_runs}+{comparison.new_runs} runs"
    scatter = f"that scatter by {100 * comparison.spread:.1f} %"
    beyond = f" beyond {100 * comparison.tolerance:g} %" if comparison.tolerance else ""
    if comparison.finds is None:
        text = f"{runs} {scatter} find nothing"
    else:
        text = f"{runs} {scatter} find +{100 * comparison.finds:.1f} %{beyond} in 8 of 10 builds"
    if needed := comparison.runs_for_1_percent:
        text += f"; +1 % needs {needed}+{needed}"
    if (needed := comparison.runs_for_detect) and report.rules.detect != 0.01:
        text += f", +{100 * report.rules.detect:g} % {needed}+{needed}"
    return f"{one_line(comparison.name)}: {comparison.metric}: {text}"


def place(comparison: Comparison, default: str) -> tuple[str, int]:
    """Return the file and the line that an annotation points at."""
    file, _, line = comparison.location.rpartition(":")
    if file and line.isdigit():
        return file, max(int(line), 1)
    return comparison.location or default, 1
