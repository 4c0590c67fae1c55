"""Annotations beside the code: workflow commands of GitHub, code quality reports of GitLab."""

import hashlib
import json
from typing import Final

from wattribute.automation.gate.check import GateReport
from wattribute.automation.gate.decision import Verdict
from wattribute.automation.gate.output.words import TITLES, place, sentence

_PLACE: Final = ".energy-baseline.json"
_COMMANDS: Final = {
    Verdict.REGRESSION: "error",
    Verdict.NOISY: "warning",
    Verdict.INCOMPARABLE: "warning",
    Verdict.PASS: "notice",
}
_SEVERITIES: Final = {
    Verdict.REGRESSION: "major",
    Verdict.NOISY: "minor",
    Verdict.INCOMPARABLE: "info",
}


def github(report: GateReport) -> str:
    """Write lines ``::error file=...::message``, which a step of the job prints."""
    lines = []
    for comparison in report.comparisons:
        file, line = place(comparison, _PLACE)
        where = f"file={_property(file)},line={line},title={_property(TITLES[comparison.verdict])}"
        message = _data(sentence(comparison, report))
        lines.append(f"::{_COMMANDS[comparison.verdict]} {where}::{message}\n")
    return "".join(lines)


def gitlab(report: GateReport) -> str:
    """Write a code quality report (``artifacts:reports:codequality``) for merge requests."""
    body = []
    for comparison in report.comparisons:
        if comparison.verdict not in _SEVERITIES:
            continue
        file, line = place(comparison, _PLACE)
        about = f"{comparison.name}\0{comparison.metric}\0{comparison.limit is not None}"
        body.append(
            {
                "description": sentence(comparison, report),
                "check_name": f"energy-{comparison.verdict.replace(' ', '-')}",
                "fingerprint": hashlib.sha256(about.encode()).hexdigest(),
                "severity": _SEVERITIES[comparison.verdict],
                "location": {"path": file, "lines": {"begin": line}},
            }
        )
    return json.dumps(body, indent=1) + "\n"


def _data(text: str) -> str:
    """Escape the message of a command as actions/toolkit does."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    """Escape a property of a command as actions/toolkit does."""
    return _data(text).replace(":", "%3A").replace(",", "%2C")
