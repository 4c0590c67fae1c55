"""Every query of every board, rule and old dashboard, run by a real Prometheus on real series.

Five nodes: one real agent, which has GPUs by a made library, and four made ones (measured,
estimated, with GPUs, nested) whose pods have names, labels, owners and requests. Target labels are
an operator's. Time runs 60 times as fast: scrapes and rules every second, so [24h:1m] of an old
dashboard is [24m:1s] here.
"""

import json
import os
import re
import shutil
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from wattribute.core.records import Channel, Origin, Snapshot
from wattribute.node.exporter.exposition import Renderer, text
from wattribute.node.exporter.families import kepler_families, metrics_families
from wattribute.node.exporter.layout import ContainerLabels, ProcessLabels
from wattribute.node.exporter.scene import NodeLabels, Scene
from wattribute_testing.nvml import FakeNvml, compiler
from wattribute_testing.snapshots import ESTIMATED, RAPL, SnapshotMaker

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.xdist_group("machine")]

ROOT = Path(__file__).parents[2]
BOARDS = {file.stem: json.loads(file.read_text()) for file in (ROOT / "dashboards").glob("*.json")}
GPU = (
    *RAPL,
    Channel("gpu", "nvml", Origin.MEASURED),
    Channel("platform", "acpi", Origin.INTEGRATED),
    Channel("other", "acpi", Origin.INTEGRATED),
)
OPERATOR = {
    "namespace": "wattribute-system",
    "container": "agent",
    "endpoint": "http",
    "service": "wattribute",
}
RANGE_S = 900
DAY_S = 86_400
BUDGET = """
groups:
  - name: budgets
    interval: 1s
    rules:
      - record: wattribute:namespace_budget_kwh_per_month
        labels: {container_namespace: shop}
        expr: vector(120)
"""


@dataclass
class MadeNode:
    """A page that goes on by one tick for every scrape."""

    name: str
    maker: SnapshotMaker
    nested: bool = False
    gpus_requested: int = 0
    _renderers: dict[str, Renderer] = field(default_factory=dict)

    def page(self, generation: str = "kepler-0.9") -> bytes:
        snapshot = self._requesting(self.maker.tick())
        labels = NodeLabels(
            self.name, region="eu-west-1", instance_type="m7i", cluster="prod", nested=self.nested,
            version="9.9.9",
        )  # fmt: skip
        allowed = ("app", "team")
        scene = Scene(snapshot, labels, allowed, ContainerLabels(), ProcessLabels())
        families = (
            metrics_families("kepler-0.9", processes=False)
            if generation == "kepler-0.9"
            else kepler_families("kepler-0.11", processes=True)
        )
        renderer = self._renderers.setdefault(generation, Renderer())
        return b"".join(text(renderer.render(families, scene)))

    def _requesting(self, snapshot: Snapshot) -> Snapshot:
        if not self.gpus_requested:
            return snapshot
        consumers = tuple(
            replace(one, requests={**one.requests, "gpu": self.gpus_requested})
            if one.kind == "container"
            else one
            for one in snapshot.containers.consumers
        )
        return replace(snapshot, containers=replace(snapshot.containers, consumers=consumers))


NODES = (
    MadeNode("node-b", SnapshotMaker(containers=10, processes=6, packages=2)),
    MadeNode("node-c", SnapshotMaker(containers=4, channels=ESTIMATED, seed=2)),
    MadeNode("node-g", SnapshotMaker(containers=5, channels=GPU, seed=3), gpus_requested=1),
    MadeNode("guest-1", SnapshotMaker(containers=2, seed=4), nested=True),
)
SERVER_POD = "marketing-bot-7d9c5b6f4-00003"


def vllm(scrapes: int) -> bytes:
    """What a vLLM server exposes of its work."""
    counts = (("prompt_tokens", 500), ("generation_tokens", 200), ("request_success", 2))
    return "".join(
        f"# TYPE vllm:{name}_total counter\n"
        f'vllm:{name}_total{{model_name="llama"}} {each * scrapes}\n'
        for name, each in counts
    ).encode()


def kube_state(_scrapes: int) -> bytes:
    return b'# TYPE kube_node_info gauge\nkube_node_info{node="node-z"} 1\n'


class Pages(ThreadingHTTPServer):
    """Serves /NODE, /NODE/kepler-0.11, /vllm and /kube."""

    def __init__(self) -> None:
        self.scrapes = 0
        super().__init__(("127.0.0.1", 0), _Handler)
        threading.Thread(target=self.serve_forever).start()

    def page(self, path: str) -> bytes:
        self.scrapes += 1
        first, _, rest = path.strip("/").partition("/")
        if first in ("vllm", "kube"):
            return {"vllm": vllm, "kube": kube_state}[first](self.scrapes)
        return next(node for node in NODES if node.name == first).page(rest or "kepler-0.9")


class _Handler(BaseHTTPRequestHandler):
    server: Pages

    def do_GET(self) -> None:
        body = self.server.page(self.path)
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Not to the tests' output."""


def job(name: str, targets: Sequence[tuple[str, str, dict[str, str]]]) -> dict[str, Any]:
    return {
        "job_name": name,
        "honor_labels": False,
        "static_configs": [
            {"targets": [address], "labels": {"__metrics_path__": path, **labels}}
            for address, path, labels in targets
        ],
    }


def fast_rules(folder: Path) -> list[str]:
    files = []
    for rules in (ROOT / "charts/wattribute/files/rules").glob("*.yaml"):
        fast = folder / rules.name
        fast.write_text(re.sub(r"interval: \d+[ms]", "interval: 1s", rules.read_text()))
        files.append(str(fast))
    (folder / "budget.yaml").write_text(BUDGET)
    return [*files, str(folder / "budget.yaml")]


class Driver(threading.Thread):
    """Two GPUs of 300 W, on which this process works half of the time."""

    def __init__(self, folder: Path) -> None:
        super().__init__(daemon=True)
        self._nvml = FakeNvml(folder / "nvml")
        self._stopped = threading.Event()
        for _ in range(2):
            gpu = self._nvml.gpu()
            gpu.power_mw, gpu.utilisation, gpu.memory_used = 300_000, 50, 8 << 30
            gpu.holds(os.getpid(), 8 << 30)
        self._nvml.write()
        self.library = self._nvml.library

    def run(self) -> None:
        while not self._stopped.wait(0.2):
            for gpu in self._nvml.gpus:
                gpu.energy_mj = (gpu.energy_mj or 0) + 60_000
                gpu.samples.clear()
                gpu.ran(os.getpid(), 50, at_us=time.time_ns() // 1000)
            self._nvml.write()

    def stop(self) -> None:
        self._stopped.set()
        self.join()


def joules_of(page: str) -> float:
    """What the node has used; rate() treats counters that have hardly begun otherwise."""
    found = re.findall(r"^wattribute_node_joules_total\S+ (\S+)$", page, re.MULTILINE)
    return sum(map(float, found))


@pytest.fixture(scope="module")
def server(real: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A Prometheus that has seen all of it for some seconds."""
    if not shutil.which("prometheus"):
        pytest.skip("no prometheus program; Debian package prometheus")
    folder = tmp_path_factory.mktemp("queries")
    counter = real.PowerCounter(folder / "sys")
    counter.run(watts=50)
    flags = ["--interval", "0.5", "--meters", "rapl", "--sysfs", str(counter.sysfs)]
    driver = None
    if compiler():
        driver = Driver(folder)
        driver.start()
        settings = folder / "settings.yaml"
        settings.write_text(json.dumps({"meter": {"nvml_library": str(driver.library)}}))
        flags += ["--meters", "nvml", "--config", str(settings)]
    agent = real.Agent(*flags, "--node-name", "node-a", log=folder / "agent.log")
    for node in NODES:
        for _ in range(20):
            node.maker.tick()
    pages = Pages()
    made = f"127.0.0.1:{pages.server_port}"
    prometheus = None
    try:
        agent.wait(lambda page: joules_of(page) > 200)
        ours = [(f"127.0.0.1:{agent.port}", "/metrics", {"instance": "node-a"})]
        ours += [(made, f"/{node.name}", {"instance": node.name}) for node in NODES]
        config = {
            "global": {
                "scrape_interval": "1s",
                "scrape_timeout": "1s",
                "evaluation_interval": "1s",
            },
            "rule_files": fast_rules(folder),
            "scrape_configs": [
                job("wattribute", [
                    (address, path, {**OPERATOR, **labels, "pod": f"agent-{number}"})
                    for number, (address, path, labels) in enumerate(ours)
                ]),
                job("kepler", [(made, "/node-b/kepler-0.11", {})]),
                job("vllm", [(made, "/vllm", {"namespace": "bots", "pod": SERVER_POD})]),
                job("kube-state-metrics", [(made, "/kube", {})]),
            ],
        }  # fmt: skip
        prometheus = real.Prometheus(folder, [], config)
        prometheus.wait(
            "min(count_over_time(wattribute_ticks_total[1m])) and count(up == 1) == 8"
            " and count(wattribute:idle_kwh:1d) and count(wattribute:workload_unused:rate5m)",
            lambda rows: rows[0][1] >= 8,
        )
        yield prometheus
    finally:
        if prometheus:
            prometheus.stop()
        agent.stop()
        pages.shutdown()
        pages.server_close()
        counter.freeze()
        if driver:
            driver.stop()


def filled(expr: str, board: dict[str, Any], node: str) -> str:
    """The query as Grafana sends it: variables at what the board comes with, or this node."""
    values = {"__rate_interval": "4s", "__range": f"{RANGE_S}s"}
    for variable in board["templating"]["list"]:
        current = variable.get("current", {}).get("value", node)
        values[variable["name"]] = ".*" if current == ["$__all"] else current
    for name, value in values.items():
        expr = expr.replace(f"${name}", value)
    assert not re.search(r"\$[a-z_]", expr), expr
    return expr


def answered(server: Any, panel: dict[str, Any], target: dict[str, Any], expr: str) -> bool:
    """Whether the query gives a number, asked as the panel asks."""
    now = time.time()
    if target["instant"]:
        rows = server.ask("query", query=expr)["result"]
        values = [row["value"][1] for row in rows]
    else:
        # Grafana begins at a multiple of the step.
        step, span = (DAY_S, 30 * DAY_S) if panel.get("interval") == "1d" else (1, RANGE_S)
        start, end = ((now - ago) // step * step for ago in (span, 0))
        rows = server.ask("query_range", query=expr, start=str(start), end=str(end), step=str(step))
        values = [value for row in rows["result"] for _, value in row["values"]]
    return any(value != "NaN" for value in values)


@pytest.mark.parametrize("name", sorted(BOARDS))
def test_every_query_of_a_board_returns_data(server: Any, name: str) -> None:
    board = BOARDS[name]
    empty = [
        f"{panel['title']}: {target['expr']}"
        for panel in board["panels"]
        for target in panel.get("targets", ())
        if not any(
            answered(server, panel, target, filled(target["expr"], board, node))
            for node in (["node-a", "node-b", "node-c"] if "$node" in target["expr"] else [""])
        )
    ]
    assert not empty, "\n".join(empty)


@pytest.mark.parametrize("name", sorted(BOARDS))
def test_every_variable_of_a_board_has_choices(server: Any, name: str) -> None:
    board = BOARDS[name]
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            call = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"]["query"])
            assert call
            metric = filled(call[1], board, "")
            rows = server.ask("query", query=f"group by ({call[2]}) ({metric})")["result"]
            assert [row for row in rows if row["metric"].get(call[2])], variable["name"]


def test_the_node_board_works_on_a_real_agent(server: Any) -> None:
    """All of it but what this agent has not: estimates, GPUs, BPF statistics."""
    board = BOARDS["node"]
    titles = {
        panel["title"]
        for panel in board["panels"]
        for target in panel.get("targets", ())
        if not answered(server, panel, target, filled(target["expr"], board, "node-a"))
    }
    assert titles <= {
        "Bands of estimates",
        "CPU of the agent",
        "Floor and power",
        "What was lost",
    }


def test_the_gpu_board_works_on_a_real_agent(server: Any) -> None:
    """All that it says of one node."""
    if not compiler():
        pytest.skip("no C compiler (cc) to build the fake NVML library")
    board = BOARDS["gpu"]
    empty = {
        f"{panel['title']}: {target['expr']}"
        for panel in board["panels"]
        for target in panel.get("targets", ())
        if "$node" in target["expr"]
        and not answered(
            server, panel, target, filled(target["expr"].replace("$node", "node-a"), board, "")
        )
    }
    assert not empty, "\n".join(empty)


def test_every_rule_is_healthy_and_every_recorded_series_has_data(server: Any) -> None:
    groups = server.ask("rules")["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert len(rules) > 45
    broken = {rule["name"]: rule.get("lastError") for rule in rules if rule["health"] != "ok"}
    assert not broken
    records = {rule["name"] for rule in rules if rule["type"] == "recording"}
    empty = {name for name in records if not server.query(f"{{__name__={json.dumps(name)}}}")}
    assert not empty


def test_shares_of_every_node_add_up_also_the_real_ones(server: Any) -> None:
    rows = server.query("wattribute:attributed:ratio10m")
    assert {labels["instance"] for labels, _ in rows} == {
        "node-a", *(node.name for node in NODES)
    }  # fmt: skip
    assert all(value == pytest.approx(1, abs=0.02) for _, value in rows), rows


def test_rows_of_the_cost_board_add_up_to_its_total(server: Any) -> None:
    """Within what rate() makes of the first seconds."""
    (panel,) = (
        one
        for one in BOARDS["cost"]["panels"]
        if one["title"] == "By team" and one["targets"][0]["legendFormat"] == "energy"
    )
    part = next(one for one in panel["targets"] if one["legendFormat"] == "part")
    rows = server.query(filled(part["expr"], BOARDS["cost"], ""))
    teams = {labels["team"] for labels, _ in rows}
    assert teams >= {"shop", "bots", "(no team)", "(idle floor)", "(unattributed)"}
    assert sum(value for _, value in rows) == pytest.approx(1, abs=0.05)


def test_a_nested_guest_is_in_no_sum(server: Any) -> None:
    for query in (
        "count(wattribute:node:info) == 4",
        'absent(wattribute:node_watts:rate5m{instance="guest-1"})',
    ):
        assert server.query(query), query


FILTER = 'container_namespace=~".*", pod_name=~".*"'
DAY = f"increase(kepler_container_joules_total{{{FILTER}}}[24h:1m])"
OLD_KINDS = ("package", "dram", "other", "gpu")
KEPLER_QUERIES = (
    # grafana.com's Kepler board: watts by pod and component, kWh and carbon by day, variables
    *(
        f"sum by (pod_name, container_namespace) "
        f"(irate(kepler_container_{kind}_joules_total{{{FILTER}}}[1m]))"
        for kind in OLD_KINDS
    ),
    " + ".join(
        f"sum by (pod_name) (irate(kepler_container_{kind}_joules_total{{{FILTER}}}[1m]))"
        for kind in OLD_KINDS
    ),
    *(
        f"sum by (container_namespace) (irate(kepler_container_{kind}_joules_total[1m]))"
        for kind in OLD_KINDS
    ),
    f"sum by (container_namespace) ({DAY} * 0.000000277777777777778)",
    *(
        f"sum({DAY}) * 0.000000277777777777778 * {pounds}"
        for pounds in (2.23, 0.91, 2.13)  # of CO2 per kWh of coal, gas, petroleum
    ),
    "sum by (container_namespace) (increase(kepler_container_joules_total[24h:1m])) * 2.77778e-7",
    "group by (container_namespace) (kepler_container_package_joules_total)",
    'group by (pod_name) (kepler_container_package_joules_total{container_namespace=~"shop"})',
    # the same, by its recording rules
    *(
        f"sum by (container_namespace) (kepler:container_{kind}_watts:{window}:by_ns_pod)"
        for kind in OLD_KINDS
        for window in ("15s", "2m")
    ),
    "kepler:container_joules_total:increase:24h:by_ns",
    "sum by (pod_name) (kepler:container_joules_total:increase:24h:by_ns_pod)",
    # blogs and documentation
    "sum(kepler_container_joules_total) by (pod_name, container_namespace)",
    "sum(rate(kepler_container_joules_total[1m])) by (pod_name)",
    """sum by (pod_name,container_name,container_namespace,node)
       (irate(kepler_container_joules_total[1m]))""",
    'sum by (pod_name) (rate(kepler_container_joules_total{mode="dynamic"}[1m]))',
    'sum(rate(kepler_container_joules_total{pod_name="system_processes"}[1m]))',
    'sum(rate(kepler_container_joules_total{container_namespace!~"kernel|system"}[1m]))',
    *(
        f"sum by (exported_instance) (rate(kepler_node_{kind}_joules_total[1m]))"
        for kind in ("package", "core", "dram", "other", "gpu", "platform")
    ),
    "sum by (components_power_source) (kepler_node_info)",
    "count by (version) (kepler_exporter_build_info)",
    # boards of Kepler 0.10 and later, on /metrics/kepler-0.11
    'sum by (zone) (kepler_node_cpu_watts{job="kepler"})',
    "topk(10, sum by (pod_namespace, zone) (kepler_pod_cpu_watts))",
    "topk(10, sum by (container_name, zone) (kepler_container_cpu_watts))",
    "topk(10, sum by (comm, pid, zone) (kepler_process_cpu_watts))",
    "sum by (zone) (rate(kepler_node_cpu_joules_total[1m]))",
    "sum by (zone) (rate(kepler_node_cpu_active_joules_total[1m]))",
    "sum by (zone) (rate(kepler_node_cpu_idle_joules_total[1m]))",
    "sum by (pod_name, zone) (rate(kepler_pod_cpu_joules_total[1m]))",
    "count by (instance, model_name) (kepler_node_cpu_info)",
    "kepler_node_cpu_usage_ratio * 100",
)


def test_queries_of_keplers_dashboards_return_data(server: Any) -> None:
    empty = [
        query for query in KEPLER_QUERIES if not server.query(query.replace("[24h:1m]", "[24m:1s]"))
    ]
    assert not empty, "\n".join(empty)
