"""Each format is what those who read it expect, whatever the names hold."""

import inspect
import json
import pkgutil
import re
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from xml.etree import ElementTree as ET

import jsonschema
import msgspec
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from wattribute.automation.gate import output
from wattribute.automation.gate.check import GateReport, Limit, check
from wattribute.automation.gate.decision import Rules
from wattribute.automation.gate.output import FORMATS, render
from wattribute.automation.gate.output.markdown import MARKER
from wattribute.automation.gate.series import RunSeries

ROOT = Path(__file__).parents[3]
HOSTILE = "x | <script>\"&'\x1b[31m\n::error::@team `a` [l](http://e) \u202e%0A\x00"
BENCHMARK = {  # what github-action-benchmark takes as customSmallerIsBetter
    "type": "array",
    "items": {
        "type": "object",
        "required": ["name", "unit", "value"],
        "additionalProperties": False,
        "properties": {
            "name": {"type": "string", "minLength": 1},
            "unit": {"type": "string", "minLength": 1},
            "value": {"type": "number"},
            "range": {"type": "string"},
            "extra": {"type": "string"},
        },
    },
}
CODE_QUALITY = {  # GitLab's documentation of the report
    "type": "array",
    "items": {
        "type": "object",
        "required": ["description", "check_name", "fingerprint", "severity", "location"],
        "properties": {
            "description": {"type": "string"},
            "check_name": {"type": "string"},
            "fingerprint": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
            "severity": {"enum": ["info", "minor", "major", "critical", "blocker"]},
            "location": {
                "type": "object",
                "required": ["path", "lines"],
                "properties": {
                    "path": {"type": "string", "pattern": "^[^/]"},
                    "lines": {"type": "object", "required": ["begin"]},
                },
            },
        },
    },
}


@pytest.fixture
def report(make: Callable[..., RunSeries]) -> GateReport:
    """A pass, a regression, one too noisy, one without baseline, hostile; limits of all."""
    base = [make(100), make(100, name="slow"), make(100, name="wild", spread=0.3)]
    fresh = [
        make(100, seed=2),
        make(120, seed=2, name="slow", location="tests/perf/test it.py:12"),
        make(100, seed=2, name="wild", spread=0.3),
        make(100, name=HOSTILE, notes=(HOSTILE,)),
    ]
    return check(fresh, base, ["energy_j", "cpu_s"], [Limit("energy_j", 110)], Rules())


def test_json_has_everything(report: GateReport) -> None:
    body = json.loads(render("json", report))

    assert body["verdict"] == "regression"
    assert body["exit_code"] == 1
    assert len(body["comparisons"]) == 12
    assert msgspec.convert(body["rules"], Rules) == report.rules


def test_markdown_is_a_table_and_its_first_line_is_the_mark(report: GateReport) -> None:
    text = render("markdown", report)
    lines = text.splitlines()

    assert lines[0] == MARKER
    assert lines[1] == "## Energy gate: regression"
    rows = [line for line in lines if line.startswith("|")]
    assert len(rows) == 14
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {9}
    assert "<script>" not in text.replace("\\<script\\>", "")
    assert "@team" not in text.replace("&#64;team", "")
    assert "\x1b" not in text
    assert "in 8 of 10 builds" in text


def test_junit_has_a_case_for_each_and_none_that_is_no_pass_passes(report: GateReport) -> None:
    suite = ET.fromstring(render("junit", report)).find("testsuite")  # noqa: S314 - our own
    assert suite is not None
    cases = suite.findall("testcase")
    assert len(cases) == int(suite.attrib["tests"]) == 12
    bad = [c for c in cases if c.find("failure") is not None or c.find("error") is not None]
    assert len(bad) == sum(one.verdict != "pass" for one in report.comparisons)
    assert int(suite.attrib["failures"]) == 3
    assert int(suite.attrib["failures"]) + int(suite.attrib["errors"]) == len(bad)
    assert all(c.attrib["name"] and c.attrib["classname"] for c in cases)


def test_sarif_is_sarif(report: GateReport) -> None:
    schema = ROOT / "tools/sarif_schema/node_modules/@microsoft/jest-sarif/lib/schemas"
    body = json.loads(render("sarif", report))
    (run,) = body["runs"]
    ids = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert all(ids[one["ruleIndex"]] == one["ruleId"] for one in run["results"])
    first = run["results"][0]["locations"][0]["physicalLocation"]
    assert first == {
        "artifactLocation": {"uri": "tests/perf/test%20it.py"},
        "region": {"startLine": 12},
    }
    prints = [tuple(one["partialFingerprints"].values()) for one in run["results"]]
    assert len(set(prints)) == len(prints)
    files = list(schema.glob("sarif-2.1.0*.json"))
    if not files:
        pytest.skip("no schema of SARIF; `make sarif-schema` fetches it")
    jsonschema.validate(body, json.loads(files[0].read_text()))


def test_github_commands_are_one_line_each(report: GateReport) -> None:
    lines = render("github", report).splitlines()

    assert len(lines) == 12
    form = re.compile(r"::(error|warning|notice) file=[^,:]+,line=\d+,title=[^,:]+::[^\x00-\x1f]+")
    assert all(form.fullmatch(line) for line in lines)
    assert sum(line.startswith("::error ") for line in lines) == 3


def test_gitlab_gets_its_code_quality_report(report: GateReport) -> None:
    body = json.loads(render("gitlab", report))

    jsonschema.validate(body, CODE_QUALITY)
    assert len(body) == sum(one.verdict != "pass" for one in report.comparisons)


def test_github_action_benchmark_gets_points(report: GateReport) -> None:
    body = json.loads(render("benchmark", report))

    jsonschema.validate(body, BENCHMARK)
    assert len(body) == 8  # limits are no points


def test_openmetrics_is_parsed_by_the_reference_parser(report: GateReport) -> None:
    families = {f.name: f for f in text_string_to_metric_families(render("openmetrics", report))}

    ratios = {
        tuple(s.labels.values())[:2]: s.value for s in families["wattribute_gate_ratio"].samples
    }
    assert ratios["slow", "energy_j"] == pytest.approx(1.2, abs=0.03)
    verdicts = families["wattribute_gate_verdict"]
    assert verdicts.type == "stateset"
    assert sum(s.value for s in verdicts.samples) == 12


@pytest.mark.parametrize("name", FORMATS.names)
def test_a_format_of_the_table_renders_a_text_and_can_be_read_about(
    name: str, report: GateReport
) -> None:
    line, text = FORMATS.entries[name][1], render(name, report)
    guide = (ROOT / "docs/user/energy-gate.md").read_text(encoding="utf-8")

    assert text.endswith("\n")
    assert line.endswith("."), f"{name}: its line in the table is no sentence: {line!r}"
    assert f"`{name}`" in guide, f"{name}: name it among the reports of docs/user/energy-gate.md"


def test_every_writer_is_in_the_table() -> None:
    listed = {place for place, _ in FORMATS.entries.values()}
    forgotten = [
        f"{module.name}:{name}"
        for module in pkgutil.iter_modules(output.__path__)
        for name, function in vars(import_module(f"{output.__name__}.{module.name}")).items()
        if inspect.isfunction(function)
        and not name.startswith("_")
        and list(inspect.get_annotations(function).values()) == [GateReport, str]
        and f"{module.name}:{name}" not in listed
    ]

    assert not forgotten, f"{forgotten}: add a row to FORMATS in gate/output/__init__.py"
