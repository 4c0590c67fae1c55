"""Markdown for a job summary, or for a comment that a bot can find again by its first line."""

import re
from typing import Final

from wattribute.automation.gate.check import GateReport
from wattribute.automation.gate.output.words import TITLES, allowed, amount, change, one_line, power

MARKER: Final = "<!-- wattribute-gate -->"
"""The first line. A bot looks for a comment that begins with it, and edits that comment."""
_SPECIAL: Final = re.compile(r"([\\`*_{}\[\]<>#!|~@&])")
_SIGNS: Final = {"pass": "pass", "regression": "**regression**"}


def render(report: GateReport) -> str:
    """Write the verdict, the comparisons, what such runs can show, and the machine."""
    lines = [MARKER, f"## {TITLES[report.verdict]}", ""]
    lines += [
        "| what | metric | base | new | change (bounds) | allowed | origin | |",
        "|---|---|--:|--:|--:|--:|---|---|",
    ]
    for comparison in report.comparisons:
        cells = (
            _escaped(comparison.name),
            f"`{comparison.metric}`",
            amount(comparison.base, comparison.metric),
            amount(comparison.new, comparison.metric),
            change(comparison),
            _escaped(allowed(comparison)),
            comparison.origin,
            _SIGNS.get(comparison.verdict, f"_{comparison.verdict}_"),
        )
        lines.append(f"| {' | '.join(cells)} |")
    lines.append("")
    lines += [
        f"* {_escaped(comparison.name)}, `{comparison.metric}`: {_escaped(comparison.reason)}"
        for comparison in report.comparisons
    ]
    lines += [
        f"* {_escaped(explanation.name)}: {_escaped(explanation.text)}"
        for explanation in report.explanations
    ]
    findings = [line for comparison in report.comparisons if (line := power(comparison, report))]
    if findings or report.notes:
        lines += ["", "<details><summary>What these runs can show</summary>", ""]
        lines += [f"* {_escaped(line)}" for line in (*findings, *report.notes)]
        lines += ["", "</details>"]
    compared = f"{report.new} against {report.base}. {report.machine}. wattribute {report.version}"
    lines += ["", f"<sub>{_escaped(compared)}</sub>"]
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    """Escape a text so that nothing in it is markup, a mention or a link."""
    return _SPECIAL.sub(r"\\\1", one_line(text)).replace("\\@", "&#64;")
