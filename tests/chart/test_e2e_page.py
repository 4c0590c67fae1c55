"""What `make e2e` looks at, on pages that are known."""

from pathlib import Path

import pytest
from tools.e2e.page import Page

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.mark.parametrize("machine", ["cloud", "server", "machine-two-sockets"])
def test_a_page_of_an_agent_adds_up(machine: str) -> None:
    page = Page.of((GOLDEN / f"{machine}.kepler-0.9.prom").read_text(encoding="utf-8"))

    assert page.total("wattribute_node_joules_total") > 0
    assert all(abs(joules) < 1e-6 for joules in page.misfit().values())


def test_joules_that_are_lost_are_found() -> None:
    text = (GOLDEN / "cloud.kepler-0.9.prom").read_text(encoding="utf-8")
    kept = [line for line in text.splitlines() if 'pod_name="system_processes"' not in line]

    page = Page.of("\n".join(kept) + "\n")

    assert page.misfit()["cpu"] > 1


def test_a_pod_without_a_name_yet_has_no_joules() -> None:
    page = Page.of(
        """\
# TYPE wattribute_container_info gauge
wattribute_container_info{container_id="a",pod_uid="u",pod_name=""} 1
wattribute_container_info{container_id="a",pod_uid="u",pod_name="busy"} 1
wattribute_container_info{container_id="b",pod_uid="before",pod_name="busy"} 1
# TYPE kepler_container_joules_total counter
kepler_container_joules_total{container_id="a",pod_name="",mode="dynamic"} 1
kepler_container_joules_total{container_id="a",pod_name="busy",mode="dynamic"} 2
kepler_container_joules_total{container_id="a",pod_name="busy",mode="idle"} 4
kepler_container_joules_total{container_id="b",pod_name="busy",mode="dynamic"} 8
"""
    )

    assert page.joules("u") == 2
    assert page.joules("nobody") == 0
