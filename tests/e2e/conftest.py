"""Real processes: the agent, a Prometheus, a power counter that only the test moves."""

import json
import re
import shutil
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from http import HTTPStatus
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from wattribute_testing.waiting import wait_until

STARTUP_S = 20  # the agent needs 2 s; a machine full of other tests needs more


class PowerCounter:
    """The real /sys with one RAPL package of our own, which rises only as the test says."""

    RANGE_UJ = 262_143_328_850  # a Xeon's: does not wrap in a test

    def __init__(self, root: Path, start_uj: int = 9_000_000_000) -> None:
        self.sysfs = root
        zone = root / "class" / "powercap" / "intel-rapl:0"
        zone.mkdir(parents=True)
        (zone / "name").write_text("package-0\n")
        (zone / "max_energy_range_uj").write_text(f"{self.RANGE_UJ}\n")
        self._file = zone / "energy_uj"
        for name in ("devices", "fs", "kernel"):  # CPUs, cgroups and BTF are this machine's
            (root / name).symlink_to(Path("/sys") / name)
        self.first_uj = self.now_uj = start_uj
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._write()

    def _write(self) -> None:
        new = self._file.with_name("energy_uj.new")
        new.write_text(f"{self.now_uj}\n")
        new.replace(self._file)  # never seen half-written

    def run(self, watts: float) -> None:
        """Rise from now on, in steps of 20 ms."""

        def rise() -> None:
            while not self._stop.wait(0.02):
                self.now_uj += int(watts * 20_000)
                self._write()

        self._thread = threading.Thread(target=rise)
        self._thread.start()

    def freeze(self) -> int:
        """Stop rising; the microjoules since the start."""
        self._stop.set()
        if self._thread:
            self._thread.join()
            self._thread = None
        return self.now_uj - self.first_uj


class Agent:
    """One `wattribute agent` process."""

    def __init__(self, *flags: str, port: int | None = None, log: Path) -> None:
        self.port = port or free_port()
        self.log = log
        with log.open("ab") as err:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "wattribute", "agent"),
                    *("--listen", f"127.0.0.1:{self.port}", "--kube", "off", *flags),
                ],
                stdin=subprocess.DEVNULL,
                stdout=err,
                stderr=err,
            )

    def get(self, path: str = "/metrics") -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
            return answer.read().decode()

    def wait(self, ready: Callable[[str], bool], timeout_s: float = STARTUP_S) -> str:
        """The first /metrics for which `ready` holds."""
        pages = [""]

        def page() -> str:
            assert self.process.poll() is None, self.log.read_text()
            pages[0] = self.get()
            return pages[0] if ready(pages[0]) else ""

        try:
            return wait_until(page, timeout_s, despite=OSError)
        except AssertionError as exc:
            raise AssertionError(f"{exc}: {pages[0][-2000:]}\n{self.log.read_text()}") from None

    def wait_ticks(self, count: int) -> str:
        """Wait for so many ticks from now on; /metrics after them."""

        def ticks(text: str) -> float:
            (number,) = re.findall(r"^wattribute_ticks_total (\S+)$", text, re.MULTILINE)
            return float(number)

        enough = ticks(self.get()) + count
        return self.wait(lambda text: ticks(text) >= enough)

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


class Prometheus:
    """One real server, and its query API."""

    def __init__(
        self, folder: Path, targets: list[str], config: dict[str, Any] | None = None
    ) -> None:
        self.url = f"http://127.0.0.1:{free_port()}"
        config = config or {
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s"},
            "scrape_configs": [
                {
                    "job_name": "wattribute",
                    # What operators' target labels are named; ours must not clash with them.
                    "static_configs": [
                        {
                            "targets": targets,
                            "labels": dict.fromkeys(
                                ("namespace", "pod", "service", "container", "endpoint"), "target"
                            ),
                        }
                    ],
                }
            ],
        }
        file = folder / "prometheus.yml"
        file.write_text(json.dumps(config))  # JSON is YAML
        self._process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={file}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address={self.url.removeprefix('http://')}",
                "--log.level=error",
            ],
            stdin=subprocess.DEVNULL,
        )

    def ask(self, path: str, **parameters: str) -> Any:
        """The data of one call of the HTTP API."""
        url = f"{self.url}/api/v1/{path}?" + urllib.parse.urlencode(parameters)
        try:
            with urllib.request.urlopen(url, timeout=20) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            if error.code == HTTPStatus.SERVICE_UNAVAILABLE:
                raise  # the server listens, but is still starting
            raise AssertionError(f"{parameters}: {error.read().decode()}") from None

    def query(self, promql: str) -> list[tuple[dict[str, str], float]]:
        """Labels and value of each series of an instant query; [] while the server is starting."""
        try:
            data = self.ask("query", query=promql)
        except OSError:
            return []
        return [(series["metric"], float(series["value"][1])) for series in data["result"]]

    def wait(
        self, promql: str, ready: Callable[[list[tuple[dict[str, str], float]]], bool]
    ) -> list[tuple[dict[str, str], float]]:
        """The first answer for which `ready` holds."""

        def rows() -> list[tuple[dict[str, str], float]]:
            answer = self.query(promql)
            return answer if answer and ready(answer) else []

        try:
            return wait_until(rows)
        except AssertionError as exc:
            raise AssertionError(f"{exc}: {promql}: {self.query(promql)}") from None

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def real() -> Any:
    """The classes above, for fixtures that serve many tests: a conftest cannot be imported."""
    return SimpleNamespace(
        Agent=Agent, PowerCounter=PowerCounter, Prometheus=Prometheus, free_port=free_port
    )


@pytest.fixture
def counter(tmp_path: Path) -> Iterator[PowerCounter]:
    made = PowerCounter(tmp_path / "sys")
    yield made
    made.freeze()


@pytest.fixture
def start_agent(tmp_path: Path) -> Iterator[Callable[..., Agent]]:
    agents: list[Agent] = []

    def start(*flags: str, port: int | None = None, name: str = "agent") -> Agent:
        agents.append(Agent(*flags, port=port, log=tmp_path / f"{name}.log"))
        return agents[-1]

    yield start
    for agent in agents:
        agent.stop()


@pytest.fixture
def start_prometheus(tmp_path: Path) -> Iterator[Callable[[list[str]], Prometheus]]:
    if not shutil.which("prometheus"):
        pytest.skip("no prometheus program; Debian package prometheus")
    servers: list[Prometheus] = []

    def start(targets: list[str]) -> Prometheus:
        servers.append(Prometheus(tmp_path, targets))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def burner() -> Iterator[subprocess.Popen[bytes]]:
    """A child that keeps one CPU half busy."""
    code = """if True:
        import time
        while True:
            until = time.monotonic() + 0.05
            while time.monotonic() < until:
                pass
            time.sleep(0.05)
    """
    child = subprocess.Popen([sys.executable, "-c", code])
    yield child
    child.kill()
    child.wait()
