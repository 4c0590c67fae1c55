"""What must hold of every board, without a Grafana; tests/e2e runs the queries."""

import itertools
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "dashboards").glob("*.json"))
BOARDS = {file.stem: json.loads(file.read_text()) for file in FILES}
UNITS = {"watt", "joule", "kwatth", "si:gCO2e", "percentunit", "s", "bytes", "short", ""}
EXPRESSIONS = [
    target["expr"]
    for board in BOARDS.values()
    for panel in board["panels"]
    for target in panel.get("targets", ())
]


def panels() -> Iterator[tuple[str, dict[str, Any]]]:
    for name, board in BOARDS.items():
        for panel in board["panels"]:
            if panel["type"] != "row":
                yield f"{name}: {panel['title']}", panel


def variables(board: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in board["templating"]["list"]}


def test_the_files_are_what_the_code_makes_and_the_chart_has_the_same_bytes() -> None:
    command = [sys.executable, "-m", "tools.dashboards", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for file in FILES:
        copy = ROOT / "charts/wattribute/files/dashboards" / file.name
        assert copy.read_bytes() == file.read_bytes()


def test_the_boards_are_these() -> None:
    assert set(BOARDS) == {"cluster", "namespace", "node", "gpu", "cost", "inference"}


@pytest.mark.parametrize("name", BOARDS)
def test_panels_are_numbered_and_do_not_lie_on_each_other(name: str) -> None:
    found = BOARDS[name]["panels"]
    assert len({panel["id"] for panel in found}) == len(found)
    for one, other in itertools.combinations([panel["gridPos"] for panel in found], 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        under = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or under
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in found)


def test_every_panel_says_what_it_shows_and_in_which_unit() -> None:
    for name, panel in panels():
        assert panel["title"], name
        assert panel["description"].endswith("."), name
        config = panel["fieldConfig"]
        if panel["type"] == "table":
            values = [
                one["properties"]
                for one in config["overrides"]
                if any(prop["id"] == "unit" for prop in one["properties"])
            ]
            assert len(values) == len(panel["targets"]), name
            units = {prop["value"] for one in values for prop in one if prop["id"] == "unit"}
        else:
            units = {config["defaults"]["unit"]}
            assert units != {""}, name
        assert units <= UNITS, name


def test_every_query_takes_the_data_source_of_the_variable() -> None:
    for name, panel in panels():
        for holder in (panel, *panel["targets"]):
            assert holder["datasource"] == {"type": "prometheus", "uid": "${datasource}"}, name
    for board in BOARDS.values():
        assert variables(board)["datasource"]["type"] == "datasource"


def test_windows_follow_the_board_or_are_days() -> None:
    allowed = {
        "rate": {"$__rate_interval"},
        "increase": {"$__rate_interval", "$__range"},
        "delta": {"$__range"},
        "sum_over_time": {"$__range", "1d"},
    }
    for expr in EXPRESSIONS:
        windows = re.findall(r"\b(\w+)\([^()]*?\[([^\]]+)\]", expr)
        assert len(windows) == expr.count("["), expr
        assert all(window in allowed[function] for function, window in windows), expr


def test_only_what_partitions_is_added() -> None:
    """Zones overlap: core, uncore and platform. Kepler's families are a view that may be off."""
    zones = re.compile(r"sum[^(]*\((?:[^()]|\([^()]*\))*wattribute_zone_\w+\{[^}]*\}")
    for expr in EXPRESSIONS:
        assert "kepler" not in expr
        for total in zones.findall(expr):
            assert 'component!=""' in total or 'zone=~"gpu' in total, expr


def test_sums_over_nodes_leave_nested_ones_out() -> None:
    """By the join with wattribute_node_info, by the rules (wattribute:...), or on one node."""
    energy = re.compile(r"(?:kepler|wattribute)_\w+_(?:joules_total|watts)\b\{?[^}]*")
    for expr in EXPRESSIONS:
        for metric in energy.findall(expr):
            one_node = 'instance="$node"' in metric or "by (instance, zone" in expr
            assert 'nested!="true"' in expr or one_node, expr


@pytest.mark.parametrize("name", BOARDS)
def test_every_variable_is_used_and_every_used_one_is_there(name: str) -> None:
    board = BOARDS[name]
    text = json.dumps([board["panels"], [one["query"] for one in board["templating"]["list"]]])
    used = set(re.findall(r"\$\{?([a-z_]+)", text)) - {"__rate_interval", "__range", "__data"}
    used -= {"__value", "__url_time_range"}
    assert used == set(variables(board))


def test_links_go_to_boards_that_exist_and_fill_variables_that_they_have() -> None:
    uids = {board["uid"]: board for board in BOARDS.values()}
    found = re.findall(r'"/d/([\w-]+)\?var-(\w+)=', json.dumps(BOARDS))
    assert {uid.removeprefix("wattribute-") for uid, _ in found} == {"namespace", "node"}
    for uid, variable in found:
        assert variable in variables(uids[uid])
    for board in BOARDS.values():
        assert board["links"][0]["tags"] == board["tags"] == ["wattribute"]


def test_estimates_are_shown_as_such() -> None:
    for name in ("cluster", "namespace", "node", "cost"):
        titles = [panel["title"] for panel in BOARDS[name]["panels"]]
        assert "Estimated" in titles
    for name in ("cluster", "node"):
        assert "wattribute_zone_power_low_watts" in json.dumps(BOARDS[name])


def test_grafanas_published_types_accept_every_board() -> None:
    types = ROOT / "tools/grafana_types"
    if not shutil.which("node"):
        pytest.skip("no node; Debian package nodejs")
    if not (types / "node_modules/@grafana/schema").is_dir():
        pytest.skip("no @grafana/schema; make grafana-types (needs npm and a network)")
    command = ["node", str(types / "check.mjs"), *map(str, FILES)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_each_board_has_its_section() -> None:
    page = (ROOT / "docs/user/dashboards.md").read_text()
    titles = {board["title"].removeprefix("Energy: ").lower() for board in BOARDS.values()}
    assert {title.lower() for title in re.findall(r"^### (.+)$", page, re.MULTILINE)} == titles


def test_the_compose_file_gives_grafana_these_boards_and_prometheus_the_rules() -> None:
    compose = (ROOT / "deploy/compose.yaml").read_text()
    assert "../dashboards:/var/lib/grafana/dashboards:ro" in compose
    assert "../charts/wattribute/files/rules:/etc/prometheus/rules:ro" in compose
    assert "/etc/prometheus/rules/*.yaml" in (ROOT / "deploy/prometheus.yml").read_text()
    home = re.search(r"HOME_DASHBOARD_PATH: /var/lib/grafana/dashboards/(\S+)", compose)
    assert home
    assert (ROOT / "dashboards" / home[1]).is_file()
