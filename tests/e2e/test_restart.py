"""kill -9, restart, SIGTERM: nothing invented, nothing lost."""

import random
import signal
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from wattribute_testing.strength import FULL
from wattribute_testing.waiting import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("machine")]

KILLS = 100 if FULL else 3
"""How often the agent is killed."""

Series = tuple[str, frozenset[tuple[str, str]]]


def machine(counter: Any) -> tuple[str, ...]:
    """Flags for a machine of which all energy is the counter's: nothing is estimated."""
    return ("--sysfs", str(counter.sysfs), "--meters", "rapl")


def microjoules(text: str) -> dict[Series, int]:
    """Every joule counter of an exposition, in whole microjoules."""
    return {
        (sample.name, frozenset(sample.labels.items())): round(sample.value * 1e6)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if "_joules" in sample.name
    }


def total_uj(counters: dict[Series, int], *names: str) -> int:
    return sum(uj for (name, _), uj in counters.items() if name in names)


def node_uj(counters: dict[Series, int]) -> int:
    return total_uj(counters, "wattribute_node_joules_total")


class Watcher:
    """Scrapes all the time, as a Prometheus would, and notes every counter that falls."""

    def __init__(self, port: int) -> None:
        self.scrapes = 0
        self.falls: list[str] = []
        self._highest: dict[Series, int] = {}
        self._port = port
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _scrape(self) -> str:
        with socket.create_connection(("127.0.0.1", self._port), timeout=2) as link:
            link.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
            answer = b""
            while piece := link.recv(1 << 16):
                answer += piece
        head, _, body = answer.partition(b"\r\n\r\n")
        whole = f"Content-Length: {len(body)}".encode() in head  # not cut off by a kill
        return body.decode() if whole and b" 200 " in head.splitlines()[0] else ""

    def _run(self) -> None:
        while not self._stop.wait(0.05):
            try:
                text = self._scrape()
            except OSError:
                continue  # between two lives
            self.scrapes += bool(text)
            for series, uj in microjoules(text).items():
                if not series[0].endswith("_total"):
                    continue  # birth_held is a gauge
                if uj < self._highest.get(series, 0):
                    self.falls.append(f"{series}: {self._highest[series]} -> {uj}")
                self._highest[series] = uj

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()


def stored(server: Any, *names: str) -> dict[Series, list[int]]:
    """Every sample that a Prometheus holds of these counters, in microjoules."""
    answer = server.ask("query", query=f'{{__name__=~"{"|".join(names)}"}}[1h]')
    return {
        (one["metric"].pop("__name__"), frozenset(one["metric"].items())): [
            round(float(value) * 1e6) for _, value in one["values"]
        ]
        for one in answer["result"]
    }


def assert_prometheus_holds(server: Any, truth_uj: int) -> None:
    """Its counters never fell, and what its series rose by is what the node used."""
    node = stored(server, "wattribute_node_joules_total")
    shares = stored(
        server,
        "kepler_container_joules_total",
        "wattribute_idle_joules_total",
        "wattribute_unattributed_joules_total",
        "wattribute_birth_held_joules",
    )
    for (name, labels), values in (node | shares).items():
        if name.endswith("_total"):
            assert values == sorted(values), (name, labels)
    assert sum(values[-1] for values in node.values()) == truth_uj
    assert sum(values[-1] for values in shares.values()) == truth_uj
    # A series that was born with energy would be hidden from rate() and increase().
    assert sum(v[0] for (n, _), v in shares.items() if n.startswith("kepler")) == 0


@pytest.mark.usefixtures("burner")
@pytest.mark.timeout(120 + 5 * KILLS)
def test_an_agent_killed_at_random_instants_invents_and_loses_no_microjoule(
    start_agent: Callable[..., Any],
    start_prometheus: Callable[..., Any],
    counter: Any,
    tmp_path: Path,
) -> None:
    random_instant = random.Random(20)
    state = tmp_path / "state.json"
    flags = ("--interval", "0.2", *machine(counter), "--state", str(state))
    agent = start_agent(*flags)
    agent.wait(lambda text: state.exists() and node_uj(microjoules(text)) == 0)
    server = start_prometheus([f"127.0.0.1:{agent.port}"])
    server.wait("sum(wattribute_node_joules_total)", lambda rows: rows[0][1] == 0)
    watcher = Watcher(agent.port)
    try:
        counter.run(watts=100)
        for _ in range(KILLS):
            agent.wait(lambda _: True)  # it serves; its first ticks are to come
            time.sleep(random_instant.uniform(0, 0.8))
            agent.process.kill()
            agent.process.wait()
            agent = start_agent(*flags, port=agent.port)
        agent.wait(lambda _: True)
        truth_uj = counter.freeze()
        end = agent.wait(lambda text: node_uj(microjoules(text)) >= truth_uj)
        agent.wait_ticks(4)  # which must add nothing
        shown = f"sum(wattribute_node_joules_total) >= {truth_uj / 1e6 - 1e-7:.7f}"
        server.wait(shown, bool)
        end = agent.get()
    finally:
        watcher.stop()

    counters = microjoules(end)
    assert node_uj(counters) == truth_uj
    assert (
        total_uj(
            counters,
            "kepler_container_joules_total",
            "wattribute_idle_joules_total",
            "wattribute_unattributed_joules_total",
            "wattribute_birth_held_joules",
        )
        == truth_uj
    )
    assert watcher.falls == []
    assert watcher.scrapes > KILLS
    assert_prometheus_holds(server, truth_uj)


def test_sigterm_writes_the_state_and_exits_0_within_2_seconds(
    start_agent: Callable[..., Any], counter: Any, tmp_path: Path
) -> None:
    state = tmp_path / "state.json"
    flags = ("--interval", "60", *machine(counter), "--state", str(state))
    agent = start_agent(*flags)
    agent.wait(lambda text: bool(microjoules(text)))
    counter.run(watts=1000)
    wait_until(lambda: counter.now_uj > counter.first_uj)
    truth_uj = counter.freeze()

    asked = time.monotonic()
    agent.process.send_signal(signal.SIGTERM)
    status = agent.process.wait(timeout=10)

    assert status == 0, agent.log.read_text()
    assert time.monotonic() - asked < 2
    assert state.stat().st_mode & 0o777 == 0o600
    resumed = start_agent(*flags)
    text = resumed.wait(lambda text: node_uj(microjoules(text)) >= truth_uj)
    assert node_uj(microjoules(text)) == truth_uj


def test_a_port_in_use_is_one_line_and_exit_5(
    start_agent: Callable[..., Any], counter: Any
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        agent = start_agent(*machine(counter), port=taken.getsockname()[1])
        status = agent.process.wait(timeout=20)

    log = agent.log.read_text()
    assert status == 5, log
    assert f"127.0.0.1:{agent.port}" in log
    assert "Traceback" not in log


def test_a_corrupt_state_file_is_said_and_totals_start_at_0(
    start_agent: Callable[..., Any], counter: Any, tmp_path: Path
) -> None:
    state = tmp_path / "state.json"
    state.write_bytes(b'{"schema": 1, "totals": [\xff')

    agent = start_agent(*machine(counter), "--state", str(state))
    text = agent.wait(lambda text: bool(microjoules(text)))

    assert node_uj(microjoules(text)) == 0
    assert str(state) in agent.log.read_text()
    assert "Traceback" not in agent.log.read_text()
