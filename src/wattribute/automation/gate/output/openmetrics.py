"""OpenMetrics text for the metrics report of GitLab, or for a Pushgateway."""

from collections.abc import Iterator

from wattribute.automation.gate.check import GateReport
from wattribute.automation.gate.decision import Comparison, Verdict
from wattribute.automation.gate.output.words import one_line

_FAMILIES = (
    ("value", "new", "Geometric mean of the new runs, in the metric's unit."),
    ("base", "base", "The same of the base's runs."),
    ("ratio", "ratio", "New over base."),
    ("ratio_low", "low", "The ratio is above this, but for the chance alpha."),
    ("ratio_high", "high", "The ratio is below this, but for the chance alpha."),
    ("spread", "spread", "Run-to-run spread, as a part of the mean."),
)


def render(report: GateReport) -> str:
    """Write gauges by name and metric, and the verdict as a state set."""
    lines: list[str] = []
    for family, field, text in _FAMILIES:
        rows = list(_rows(report, family, field))
        if rows:
            head = f"wattribute_gate_{family}"
            lines += [f"# TYPE {head} gauge", f"# HELP {head} {text}", *rows]
    lines += [
        "# TYPE wattribute_gate_verdict stateset",
        "# HELP wattribute_gate_verdict What came out.",
    ]
    for comparison in report.comparisons:
        labels = _labels(comparison)
        lines += [
            f'wattribute_gate_verdict{{{labels},wattribute_gate_verdict="{verdict}"}} '
            f"{int(comparison.verdict is verdict)}"
            for verdict in Verdict
        ]
    return "\n".join([*lines, "# EOF"]) + "\n"


def _rows(report: GateReport, family: str, field: str) -> Iterator[str]:
    for comparison in report.comparisons:
        value = getattr(comparison, field)
        if value is not None and comparison.limit is None:
            text_value = "+Inf" if value == float("inf") else repr(float(value))
            yield f"wattribute_gate_{family}{{{_labels(comparison)}}} {text_value}"


def _labels(comparison: Comparison) -> str:
    name = one_line(comparison.name).replace("\\", "\\\\").replace('"', '\\"')
    limit = ',limit="true"' if comparison.limit is not None else ""
    return f'name="{name}",metric="{comparison.metric}"{limit}'
