"""JSON with the whole report."""

import msgspec

from wattribute.automation.gate.check import GateReport
from wattribute.automation.gate.decision import EXIT_CODES


def render(report: GateReport) -> str:
    """Write the report; keys are the fields of ``GateReport``, ``Comparison`` and ``Rules``.

    Later versions may add keys, and never rename them.
    """
    body = msgspec.to_builtins(report) | {"exit_code": EXIT_CODES[report.verdict]}
    return msgspec.json.format(msgspec.json.encode(body)).decode() + "\n"
