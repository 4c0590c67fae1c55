"""SARIF 2.1.0 (OASIS), which code scanning shows beside the code."""

import hashlib
import json
from typing import Final

from wattribute.automation.gate.check import GateReport
from wattribute.automation.gate.decision import Comparison, Verdict
from wattribute.automation.gate.output.words import place, sentence

_SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/os/schemas/sarif-schema-2.1.0.json"
_RULES: Final = {
    Verdict.REGRESSION: ("energy-regression", "error", "More energy than is allowed."),
    Verdict.NOISY: ("energy-too-noisy", "warning", "The runs cannot tell whether it regressed."),
    Verdict.INCOMPARABLE: ("energy-not-comparable", "warning", "No baseline like these runs."),
}
_PLACE: Final = ".energy-baseline.json"


def render(report: GateReport) -> str:
    """Write one result for each comparison that did not pass."""
    body = {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "wattribute gate",
                        "version": report.version,
                        "rules": [
                            {
                                "id": rule,
                                "shortDescription": {"text": text},
                                "defaultConfiguration": {"level": level},
                            }
                            for rule, level, text in _RULES.values()
                        ],
                    }
                },
                "columnKind": "unicodeCodePoints",
                "results": [
                    _result(comparison, report)
                    for comparison in report.comparisons
                    if comparison.verdict in _RULES
                ],
            }
        ],
    }
    return json.dumps(body, indent=1) + "\n"


def _result(comparison: Comparison, report: GateReport) -> dict[str, object]:
    rule, level, _ = _RULES[comparison.verdict]
    file, line = place(comparison, _PLACE)
    about = f"{comparison.name}\0{comparison.metric}\0{comparison.limit is not None}"
    return {
        "ruleId": rule,
        "ruleIndex": list(_RULES).index(comparison.verdict),
        "level": level,
        "message": {"text": sentence(comparison, report)},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": _uri(file)},
                    "region": {"startLine": line},
                }
            }
        ],
        "partialFingerprints": {
            "wattributeGate/v1": hashlib.sha256(about.encode()).hexdigest()[:32]
        },
    }


def _uri(file: str) -> str:
    from urllib.parse import quote  # noqa: PLC0415 - only where something failed

    return quote(file)
