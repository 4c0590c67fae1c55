"""Markdown: a job summary, and the body of a comment that is found again by its first line."""

import re
from typing import Final

from wattribute.automation.gate.check import Report
from wattribute.automation.gate.output.words import TITLES, allowed, amount, change, one_line, power

MARKER: Final = "<!-- wattribute-gate -->"
"""First line; a bot looks for a comment that begins so, and edits it."""
_SPECIAL: Final = re.compile(r"([\\`*_{}\[\]<>#!|~@&])")
_SIGNS: Final = {"pass": "pass", "regression": "**regression**"}


def render(report: Report) -> str:
    """Verdict, table, what the runs could have found, and on what it was measured."""
    lines = [MARKER, f"## {TITLES[report.verdict]}", ""]
    lines += [
        "| what | metric | base | new | change (bounds) | allowed | origin | |",
        "|---|---|--:|--:|--:|--:|---|---|",
    ]
    for one in report.comparisons:
        cells = (
            _escaped(one.name),
            f"`{one.metric}`",
            amount(one.base, one.metric),
            amount(one.new, one.metric),
            change(one),
            _escaped(allowed(one)),
            one.origin,
            _SIGNS.get(one.verdict, f"_{one.verdict}_"),
        )
        lines.append(f"| {' | '.join(cells)} |")
    lines.append("")
    lines += [
        f"* {_escaped(one.name)}, `{one.metric}`: {_escaped(one.reason)}"
        for one in report.comparisons
    ]
    said = [line for one in report.comparisons if (line := power(one, report))]
    if said or report.notes:
        lines += ["", "<details><summary>What these runs can show</summary>", ""]
        lines += [f"* {_escaped(line)}" for line in (*said, *report.notes)]
        lines += ["", "</details>"]
    compared = f"{report.new} against {report.base}. {report.machine}. wattribute {report.version}"
    lines += ["", f"<sub>{_escaped(compared)}</sub>"]
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    """Nothing in it is markup, a mention or a link."""
    return _SPECIAL.sub(r"\\\1", one_line(text)).replace("\\@", "&#64;")
