"""JSON for github-action-benchmark (``tool: customSmallerIsBetter``): a chart over commits."""

import json

from wattribute.automation.gate.check import Report
from wattribute.automation.gate.metrics import METRICS
from wattribute.automation.gate.output.words import one_line


def render(report: Report) -> str:
    """One point for each comparison whose new value is known."""
    points = [
        {
            "name": f"{one_line(one.name)}: {one.metric}",
            "unit": METRICS[one.metric].unit or "1",
            "value": one.new,
            "range": f"± {100 * (one.spread or 0):.1f} %",
            "extra": one_line(f"{one.verdict}: {one.reason}; {one.origin}"),
        }
        for one in report.comparisons
        if one.new is not None and one.limit is None
    ]
    return json.dumps(points, indent=1, ensure_ascii=False) + "\n"
