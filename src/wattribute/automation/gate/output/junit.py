"""JUnit XML: one test case for each comparison, as CI systems list tests."""

from xml.sax.saxutils import quoteattr

from wattribute.automation.gate.check import GateReport
from wattribute.automation.gate.decision import Comparison, Verdict
from wattribute.automation.gate.output.words import explained, one_line, power

_TAGS = {
    Verdict.REGRESSION: "failure",
    Verdict.NOISY: "error",
    Verdict.INCOMPARABLE: "error",
}


def render(report: GateReport) -> str:
    """Write a regression as a failure, and an undecided comparison as an error, never as a pass."""
    tags = [_TAGS.get(comparison.verdict) for comparison in report.comparisons]
    counts = (
        f'tests="{len(tags)}" failures="{tags.count("failure")}" '
        f'errors="{tags.count("error")}" skipped="0"'
    )
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<testsuites name="wattribute gate" {counts}>',
        f'  <testsuite name="energy" {counts} time="0">',
        *(line for comparison in report.comparisons for line in _case(comparison, report)),
        "  </testsuite>",
        "</testsuites>",
    ]
    return "\n".join(lines) + "\n"


def _case(comparison: Comparison, report: GateReport) -> list[str]:
    name = comparison.metric + (" limit" if comparison.limit is not None else "")
    head = f"    <testcase classname={_attribute(comparison.name)} name={_attribute(name)}"
    properties = [
        f"        <property name={_attribute(key)} value={_attribute(format(value, '.6g'))}/>"
        for key in ("base", "new", "ratio", "low", "high", "spread")
        if (value := getattr(comparison, key)) is not None
    ]
    lines = [f'{head} time="0">', "      <properties>", *properties, "      </properties>"]
    if not properties:
        lines = lines[:1]
    if tag := _TAGS.get(comparison.verdict):
        kind = _attribute(comparison.verdict)
        lines.append(f"      <{tag} type={kind} message={_attribute(comparison.reason)}/>")
    texts = filter(None, (explained(comparison, report), power(comparison, report)))
    if remarks := "; ".join(texts):
        lines.append(f"      <system-out>{_attribute(remarks)[1:-1]}</system-out>")
    return [*lines, "    </testcase>"]


def _attribute(text: str) -> str:
    """Quote a text for XML, and replace the characters that XML 1.0 does not allow."""
    allowed = "".join(
        c if c <= "\ud7ff" or "\ue000" <= c <= "\ufffd" or c > "\uffff" else "\ufffd"
        for c in one_line(text)
    )
    return quoteattr(allowed, {'"': "&quot;"})
