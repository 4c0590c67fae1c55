"""JUnit XML: one test case for each comparison, as CI systems list tests."""

from xml.sax.saxutils import quoteattr

from wattribute.automation.gate.check import Report
from wattribute.automation.gate.decision import Comparison, Verdict
from wattribute.automation.gate.output.words import one_line, power

_TAGS = {
    Verdict.REGRESSION: "failure",
    Verdict.NOISY: "error",
    Verdict.INCOMPARABLE: "error",
}


def render(report: Report) -> str:
    """A regression is a failure; what cannot be told is an error, never a pass."""
    said = [_TAGS.get(one.verdict) for one in report.comparisons]
    counts = (
        f'tests="{len(said)}" failures="{said.count("failure")}" '
        f'errors="{said.count("error")}" skipped="0"'
    )
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<testsuites name="wattribute gate" {counts}>',
        f'  <testsuite name="energy" {counts} time="0">',
        *(line for one in report.comparisons for line in _case(one, report)),
        "  </testsuite>",
        "</testsuites>",
    ]
    return "\n".join(lines) + "\n"


def _case(comparison: Comparison, report: Report) -> list[str]:
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
    if said := power(comparison, report):
        lines.append(f"      <system-out>{_attribute(said)[1:-1]}</system-out>")
    return [*lines, "    </testcase>"]


def _attribute(text: str) -> str:
    """Quoted; without characters that XML 1.0 cannot hold."""
    allowed = "".join(
        c if c <= "\ud7ff" or "\ue000" <= c <= "\ufffd" or c > "\uffff" else "\ufffd"
        for c in one_line(text)
    )
    return quoteattr(allowed, {'"': "&quot;"})
