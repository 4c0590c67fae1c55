"""The ledger against a real Prometheus that scraped the real agent."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from wattribute.ledger.collect import Collector
from wattribute.ledger.fill import HOUR_S, Fill
from wattribute.ledger.store import Store
from wattribute.promql.client import Prometheus
from wattribute.settings import Ledger

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("machine")]


def _raw(client: Prometheus, selector: str) -> dict[tuple[str, ...], Any]:
    """Microjoules of the first and the last scrape, as a person would compute them."""
    now_s = time.time()
    return {
        tuple(series.labels.get(name, "") for name in ("component", "mode")): (
            np.rint(series.values * 1e6).astype(np.int64)
        )
        for series in client.raw(selector, now_s - 3000, now_s)
    }


@pytest.mark.usefixtures("burner")
def test_the_ledger_is_the_nodes_counters_to_the_microjoule(
    start_agent: Callable[..., Any],
    start_prometheus: Callable[..., Any],
    counter: Any,
    tmp_path: Any,
) -> None:
    counter.run(watts=50)
    agent = start_agent(
        *("--interval", "1", "--meters", "rapl", "--sysfs", str(counter.sysfs)),
        *("--idle-watts", "package=10", "--node-name", "node-a"),
    )
    agent.wait(lambda text: "kepler_container_joules_total{" in text)
    server = start_prometheus([f"127.0.0.1:{agent.port}"])
    began_s = int(time.time())
    server.wait(
        "count_over_time(wattribute_node_joules_total[1m])",
        lambda rows: all(value >= 8 for _, value in rows),
    )
    agent.stop()
    time.sleep(1.5)  # for a scrape that is under way
    store = Store.at(str(tmp_path / "ledger"))

    with Prometheus(Ledger(prometheus_url=server.url)) as client:
        fill = Fill(store, Collector(client), now_s=time.time)
        start_s = began_s // HOUR_S * HOUR_S
        end_s = int(time.time()) // HOUR_S * HOUR_S + HOUR_S
        outcome = fill.run(start_s, end_s)
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
