"""JSON, with everything that is known."""

import msgspec

from wattribute.automation.gate.check import Report
from wattribute.automation.gate.decision import EXIT_CODES


def render(report: Report) -> str:
    """Keys are those of ``Report``, ``Comparison`` and ``Rules``; they are added, not renamed."""
    body = msgspec.to_builtins(report) | {"exit_code": EXIT_CODES[report.verdict]}
    return msgspec.json.format(msgspec.json.encode(body)).decode() + "\n"
