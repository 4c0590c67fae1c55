"""No rule without a test, no alert without a page, no series without its meaning."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "charts/wattribute/files/rules").glob("*.yaml"))
RULES: list[dict[str, Any]] = [
    rule
    for file in FILES
    for group in yaml.safe_load(file.read_text())["groups"]
    for rule in group["rules"]
]
ALERTS = [rule for rule in RULES if "alert" in rule]
RECORDS = sorted({rule["record"] for rule in RULES if "record" in rule})
OURS = re.compile(r"(?:wattribute|kepler)_\w+")
CONTAINERS = {f"kepler_container_{k}_joules_total" for k in ("package", "dram", "gpu", "other")}


def text_of(name: str) -> str:
    return (ROOT / "tests/rules" / name).read_text()


@pytest.mark.parametrize("alert", [rule["alert"] for rule in ALERTS])
def test_each_alert_is_tested_both_ways(alert: str) -> None:
    text = text_of("test_alerts.py")
    bodies = [body for body in text.split("\ndef test_") if f'"{alert}"' in body]
    assert any("lab.fires(" in body for body in bodies)
    assert any("lab.silent(" in body for body in bodies)


@pytest.mark.parametrize("record", RECORDS)
def test_each_recorded_series_is_tested(record: str) -> None:
    text = text_of("test_recording.py")
    if record.startswith("kepler:container_") and record.endswith(":by_ns_pod"):
        assert "kepler:container_{kind}_watts:{window}:by_ns_pod" in text
    else:
        assert record in text


def test_each_alert_has_its_section_and_each_section_its_alert() -> None:
    page = (ROOT / "docs/user/alerts.md").read_text()
    assert re.findall(r"^## (Wattribute\w+)$", page, re.MULTILINE) == [
        one["alert"] for one in ALERTS
    ]


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_an_alert_says_how_bad_what_and_where_to_read_on(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in ("info", "warning", "critical")
    assert set(rule["annotations"]) == {"summary", "description", "runbook"}
    assert rule["annotations"]["runbook"] == f"docs/user/alerts.md#{rule['alert'].lower()}"
    assert rule["for"]


def test_each_recorded_series_is_explained() -> None:
    page = (ROOT / "docs/user/dashboards.md").read_text()
    ours = {record for record in RECORDS if record.startswith("wattribute:")}
    assert ours <= set(re.findall(r"wattribute:[\w:]+", page))


def test_rules_read_our_own_metrics_and_rules_for_kepler_four_of_its_own() -> None:
    """So that they hold whatever --metrics says about the rest (design section 8)."""
    from wattribute.node.exporter import health, own

    families = {family.name for family in (*own.FAMILIES, *health.FAMILIES)}
    for rule in RULES:
        of_kepler = rule.get("record", "").startswith("kepler:")
        assert set(OURS.findall(rule["expr"])) <= families | (CONTAINERS if of_kepler else set())


def test_a_group_that_is_summed_over_time_has_the_interval_that_the_sums_assume() -> None:
    groups = yaml.safe_load((FILES[0].parent / "recording.yaml").read_text())["groups"]
    assert {group["name"]: group["interval"] for group in groups} == {
        "wattribute-watts": "1m",  # sum_over_time / 60000
        "wattribute-reserved": "1m",
        "wattribute-day": "3m",  # under the 5 minutes after which a sample is stale
    }
