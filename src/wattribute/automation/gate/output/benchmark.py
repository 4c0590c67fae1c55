"""JSON for github-action-benchmark (``tool: customSmallerIsBetter``): a chart over commits."""

import json

from wattribute.automation.gate.check import GateReport
from wattribute.automation.gate.metrics import METRICS
from wattribute.automation.gate.output.words import one_line


def render(report: GateReport) -> str:
    """Write one point for each comparison whose new value is known."""
    points = [
        {
            "name": f"{one_line(comparison.name)}: {comparison.metric}",
            "unit": METRICS[comparison.metric].unit or "1",
            "value": comparison.new,
            "range": f"± {100 * (comparison.spread or 0):.1f} %",
            "extra": one_line(f"{comparison.verdict}: {comparison.reason}; {comparison.origin}"),
        }
        for comparison in report.comparisons
        if comparison.new is not None and comparison.limit is None
    ]
    return json.dumps(points, indent=1, ensure_ascii=False) + "\n"
