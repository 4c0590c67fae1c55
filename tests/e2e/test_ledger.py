"""The ledger against real servers that scraped the real agent: Prometheus, VictoriaMetrics."""

import json
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from wattribute.accounting.ledger.collect import Collector
from wattribute.accounting.ledger.fill import Fill
from wattribute.accounting.ledger.spool import SpoolReader
from wattribute.accounting.ledger.store import Store
from wattribute.accounting.promql.client import Prometheus
from wattribute.accounting.settings import LedgerSettings
from wattribute.core.units import HOUR_S
from wattribute_testing.waiting import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.xdist_group("machine")]

_SCRAPES = 8


@pytest.fixture
def start_victoria(tmp_path: Path, real: Any) -> Iterator[Callable[[str], str]]:
    """A VictoriaMetrics that scrapes one target; its URL."""
    if not shutil.which("victoria-metrics"):
        pytest.skip("no victoria-metrics program; Debian package victoria-metrics")
    servers: list[subprocess.Popen[bytes]] = []

    def start(target: str) -> str:
        port = real.free_port()
        config = {
            "global": {"scrape_interval": "1s"},
            "scrape_configs": [
                {"job_name": "wattribute", "static_configs": [{"targets": [target]}]}
            ],
        }
        (tmp_path / "scrape.yml").write_text(json.dumps(config))
        command = ["victoria-metrics", f"-promscrape.config={tmp_path / 'scrape.yml'}",
                   f"-storageDataPath={tmp_path / 'vm'}", f"-httpListenAddr=127.0.0.1:{port}",
                   "-loggerLevel=ERROR", "-search.latencyOffset=1s"]  # fmt: skip
        servers.append(subprocess.Popen(command, stdin=subprocess.DEVNULL))
        return f"http://127.0.0.1:{port}"

    yield start
    for server in servers:
        server.terminate()
        server.wait()


@pytest.fixture(params=["prometheus", "victoria-metrics"])
def start_server(request: pytest.FixtureRequest) -> Callable[[str], str]:
    """Starts a server that scrapes a target every second; its URL."""
    if request.param == "prometheus":
        start = request.getfixturevalue("start_prometheus")
        return lambda target: str(start([target]).url)
    started: Callable[[str], str] = request.getfixturevalue("start_victoria")
    return started


def _raw(client: Prometheus, selector: str) -> dict[tuple[str, ...], Any]:
    """Microjoules in each scrape, as a person would read them."""
    now_s = time.time()
    return {
        tuple(series.labels.get(name, "") for name in ("component", "mode")): (
            np.rint(series.values * 1e6).astype(np.int64)
        )
        for series in client.raw(selector, now_s - 3000, now_s)
    }


def _wait_for_scrapes(client: Prometheus) -> None:
    query = "min(count_over_time(wattribute_node_joules_total[1m]))"

    def enough() -> bool:
        answer = client.vector(query, time.time())
        return bool(answer) and answer[0][1] >= _SCRAPES

    wait_until(enough, 60, despite=(OSError, urllib.error.URLError))


@pytest.mark.usefixtures("burner")
def test_the_ledger_is_the_nodes_counters_to_the_microjoule(
    start_agent: Callable[..., Any],
    start_server: Callable[[str], str],
    counter: Any,
    tmp_path: Path,
) -> None:
    counter.run(watts=50)
    agent = start_agent(
        *("--interval", "1", "--meters", "rapl", "--sysfs", str(counter.sysfs)),
        *("--idle-watts", "package=10", "--node-name", "node-a"),
    )
    agent.wait(lambda text: "kepler_container_joules_total{" in text)
    url = start_server(f"127.0.0.1:{agent.port}")
    start_s = int(time.time()) // HOUR_S * HOUR_S
    store = Store.at(str(tmp_path / "ledger"))

    with Prometheus(LedgerSettings(prometheus_url=url)) as client:
        _wait_for_scrapes(client)
        agent.stop()
        time.sleep(3)  # for what is under way
        end_s = int(time.time()) // HOUR_S * HOUR_S + HOUR_S
        outcome = Fill(store, Collector(client), now_s=time.time).run(start_s, end_s)
        joules = _raw(client, "wattribute_node_joules_total")
        held = _raw(client, 'wattribute_birth_held_joules{mode="dynamic"}')
        again = Fill(store, Collector(client), now_s=time.time).run(start_s, end_s)

    entries = store.entries(start_s, end_s).to_pylist()
    sums = {"dynamic": 0, "idle": 0}
    for entry in entries:
        sums["idle" if entry["kind"] == "idle" else "dynamic"] += entry["energy_uj"]
    rises = {
        mode: sum(int(values[-1] - values[0]) for (_, m), values in joules.items() if m == mode)
        for mode in sums
    }
    held_uj = sum(int(values[-1] - values[0]) for values in held.values())
    assert sums == {"dynamic": rises["dynamic"] - held_uj, "idle": rises["idle"]}
    assert sums["dynamic"] > 0
    assert sums["idle"] > 0
    assert {entry["node"] for entry in entries} == {"node-a"}
    assert {"idle", "system"} <= {entry["kind"] for entry in entries}
    assert outcome.entries == len(entries)
    assert not outcome.problems
    assert (again.entries, again.corrections, again.seals) == (0, 0, [])


@pytest.mark.usefixtures("burner")
def test_the_spool_is_the_meter_to_the_microjoule(
    start_agent: Callable[..., Any], counter: Any, tmp_path: Path
) -> None:
    spool = tmp_path / "spool"
    counter.run(watts=50)
    agent = start_agent(
        *("--interval", "1", "--meters", "rapl", "--sysfs", str(counter.sysfs)),
        *("--node-name", "node-a", "--spool", str(spool)),
    )
    agent.wait(lambda text: "kepler_container_joules_total{" in text)
    agent.wait_ticks(3)
    counter.freeze()
    text = agent.wait_ticks(2)
    agent.process.terminate()
    agent.process.wait()
    shown = sum(
        round(float(line.rpartition(" ")[2]) * 1e6)
        for line in text.splitlines()
        if line.startswith("wattribute_node_joules_total{")
    )

    reader = SpoolReader(spool)
    store = Store.at(str(tmp_path / "ledger"))
    outcome = Fill(store, reader, now_s=time.time).run(*reader.hours())

    energy = store.entries(*reader.hours(), ["energy_uj"]).column("energy_uj").to_pylist()
    assert sum(energy) == shown > 0
    assert not outcome.problems
