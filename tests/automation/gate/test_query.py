"""Energy of pods from a server that answers as Prometheus does."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from wattribute.automation.gate.query import translated, when
from wattribute.automation.gate.series import read_series
from wattribute.cli import invoke
from wattribute.core.errors import ConfigInvalid

START = 1_800_000_000.0
Sample = tuple[float, float]


@contextmanager
def served(answer: Callable[[str], list[dict[str, object]]], asked: list[str]) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            query = parse_qs(body)["query"][0]
            asked.append(query)
            kind = "matrix" if query.endswith("s]") else "vector"
            data = {"resultType": kind, "result": answer(query)}
            text = json.dumps({"status": "success", "data": data}, separators=(",", ":")).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def counter(
    watts: float,
    origin: str = "measured",
    component: str = "cpu",
    *,
    every_s: float = 15,
    reset_s: float = 1e9,
) -> dict[str, object]:
    """A counter that rises evenly from 1 min before the window to 1 min behind its 700 s."""
    times = [START - 60 + every_s * n for n in range(round(820 / every_s))]
    values = [[t, f"{watts * ((t - START + 60) % reset_s):.6f}"] for t in times]
    labels = {
        "pod_name": "load-1", "component": component, "mode": "dynamic", "origin": origin,
        "instance": "node:9102",
    }  # fmt: skip
    return {"metric": labels, "values": values}


def answers(query: str) -> list[dict[str, object]]:
    if "kepler_node_info" in query:
        labels = {"cpu_architecture": "Sapphire Rapids"}
        return [{"metric": labels, "value": [START, "1"]}]
    if "zone_power" in query:
        zones = [("cpu", "rapl-sysfs", "measured"), ("dram", "rapl-sysfs", "measured"),
                 ("", "rapl-sysfs", "measured"), ("gpu", "nvml", "measured"),
                 ("cpu", "trained_power_model", "estimated")]  # fmt: skip
        return [
            {
                "metric": {"component": component, "source": source, "origin": origin},
                "value": [START, "1"],
            }
            for component, source, origin in zones
        ]
    return [counter(40), counter(10, reset_s=300), counter(5, component="dram")]


def ask(url: str, folder: Path, *more: str) -> int:
    return invoke(
        [
            *("gate", "query", "--prometheus", url, "--selector", 'namespace="ci",pod=~"load-.*"'),
            *("--from", str(START), "--to", str(START + 700)),
            *("--results", str(folder / "r.json"), *more),
        ]
    )


def test_the_window_is_cut_into_runs_that_add_up(tmp_path: Path) -> None:
    asked: list[str] = []
    with served(answers, asked) as url:
        assert ask(url, tmp_path, "--units", "7000", "--g-per-kwh", "360") == 0

    (series,) = read_series(tmp_path / "r.json", made_by="")
    assert len(series.runs) == 7
    # 55 W; a counter loses what it rose between the last sample and its reset.
    energy = series.values("energy_j")
    assert sum(energy) == pytest.approx(55 * 700, rel=0.01)
    assert energy[0] == pytest.approx(55 * 100, rel=0.001)
    assert series.values("power_w_mean")[0] == pytest.approx(55, rel=0.001)
    assert series.values("energy_per_unit")[0] == pytest.approx(5.5, rel=0.001)
    assert series.values("co2e_g")[0] == pytest.approx(0.55, rel=0.001)
    assert series.origin == "measured"
    assert series.key["cpu"] == "Sapphire Rapids"
    assert series.key["meters"] == "cpu=rapl-sysfs dram=rapl-sysfs"
    assert asked[0].startswith(
        'wattribute_container_joules_total{container_namespace="ci",pod_name=~"load-.*",'
        'mode="dynamic"}['
    )


@pytest.mark.parametrize(
    ("origins", "weakest"),
    [
        (["measured", "estimated", "integrated"], "estimated"),
        (["integrated", "measured"], "integrated"),
        (["measured"], "measured"),
    ],
)
def test_energy_is_known_as_well_as_its_weakest_part(
    tmp_path: Path, origins: list[str], weakest: str
) -> None:
    def mixed(query: str) -> list[dict[str, object]]:
        unused = counter(0, "estimated", "gpu")
        return [unused, *map(partial(counter, 5), origins)] if "container_joules" in query else []

    with served(mixed, []) as url:
        assert ask(url, tmp_path) == 0
    (series,) = read_series(tmp_path / "r.json", made_by="")
    assert series.origin == weakest
    assert series.key["meters"] == "unknown"


def test_no_samples_or_a_gap_is_one_line_and_exit_5(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with served(lambda _: [], []) as url:
        assert ask(url, tmp_path) == 5
    assert "no samples in that time of wattribute_container_joules_total" in capsys.readouterr().err

    def gapped(query: str) -> list[dict[str, object]]:
        return [counter(5, every_s=400)] if "container_joules" in query else []

    with served(gapped, []) as url:
        assert ask(url, tmp_path) == 5
    assert "no sample in run" in capsys.readouterr().err


def test_selectors_and_times_are_read_or_refused() -> None:
    assert list(translated('{namespace="a,b", pod!~"x\\"y" ,team="z"}')) == [
        'container_namespace="a,b"',
        'pod_name!~"x\\"y"',
        'team="z"',
    ]
    for bad in ("namespace=ci", 'a="b"} or vector(1)', '"x"'):
        with pytest.raises(ConfigInvalid, match="--selector"):
            list(translated(bad))
    assert when("2026-01-31T12:00:00Z", "--from") == when("2026-01-31T12:00:00", "") == 1769860800
    with pytest.raises(ConfigInvalid, match="--from 'noon'"):
        when("noon", "--from")
