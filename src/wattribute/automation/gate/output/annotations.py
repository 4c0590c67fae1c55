"""Notes beside the code: GitHub's workflow commands, GitLab's code quality report."""

import hashlib
import json
from typing import Final

from wattribute.automation.gate.check import Report
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


def github(report: Report) -> str:
    """``::error file=...::message``, to be printed by a step of the job."""
    lines = []
    for one in report.comparisons:
        file, line = place(one, _PLACE)
        where = f"file={_property(file)},line={line},title={_property(TITLES[one.verdict])}"
        lines.append(f"::{_COMMANDS[one.verdict]} {where}::{_data(sentence(one))}\n")
    return "".join(lines)


def gitlab(report: Report) -> str:
    """A code quality report (``artifacts:reports:codequality``): merge requests show it."""
    body = []
    for one in report.comparisons:
        if one.verdict not in _SEVERITIES:
            continue
        file, line = place(one, _PLACE)
        about = f"{one.name}\0{one.metric}\0{one.limit is not None}"
        body.append(
            {
                "description": sentence(one),
                "check_name": f"energy-{one.verdict.replace(' ', '-')}",
                "fingerprint": hashlib.sha256(about.encode()).hexdigest(),
                "severity": _SEVERITIES[one.verdict],
                "location": {"path": file, "lines": {"begin": line}},
            }
        )
    return json.dumps(body, indent=1) + "\n"


def _data(text: str) -> str:
    """As actions/toolkit escapes a command's message."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    """As actions/toolkit escapes a command's property."""
    return _data(text).replace(":", "%3A").replace(",", "%2C")
