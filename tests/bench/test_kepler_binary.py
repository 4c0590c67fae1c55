"""The driver of a real Kepler, with a script in its place."""

import sys
from pathlib import Path

import pytest
from bench.accuracy.kepler_binary import Increase, figures, run
from bench.accuracy.plants import Spans

SCRIPT = """#!{python}
import http.server, re, sys, time

port = int(next(a for a in sys.argv if "listen" in a).rpartition(":")[2])
assert any(a.startswith("--host.sysfs=") for a in sys.argv)
start = time.monotonic()

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        t = time.monotonic() - start
        lines = [
            'kepler_node_cpu_joules_total{{zone="package"}} %f' % (20 * t),
            'kepler_node_cpu_active_joules_total{{zone="package"}} %f' % (10 * t),
            'kepler_process_cpu_joules_total{{pid="1",zone="package"}} %f' % (8 * t),
        ]
        self.send_response(200)
        self.end_headers()
        self.wfile.write("\\n".join(lines).encode())

    def log_message(self, *_):
        pass

http.server.HTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""


def page(node: float, process: float, other: float | None = None) -> str:
    lines = [
        "# TYPE kepler_node_cpu_joules_total counter",
        f'kepler_node_cpu_joules_total{{zone="package",path="x"}} {node}',
        f'kepler_node_cpu_joules_total{{zone="dram"}} {9 * node}',
        f'kepler_process_cpu_seconds_total{{pid="1"}} {process}',
        "kepler_build_info 1",
    ]
    if other is not None:
        lines.append(f'kepler_process_cpu_seconds_total{{pid="2"}} {other}')
    return "\n".join(lines)


def test_counters_are_added_up_from_page_to_page() -> None:
    increase = Increase()
    for text in (page(100, 5), page(110, 6, 0.5), page(130, 7), page(131, 7.5, 0.75)):
        increase.add(text)

    assert increase.by_family["kepler_node_cpu_joules_total"] == pytest.approx(31)
    assert increase.by_family["kepler_process_cpu_seconds_total"] == pytest.approx(2.5 + 0.75)


def test_figures_compare_processes_with_the_node() -> None:
    rise = {
        "kepler_node_cpu_joules_total": 50.0,
        "kepler_node_cpu_active_joules_total": 20.0,
        "kepler_process_cpu_joules_total": 19.0,
        "kepler_process_cpu_seconds_total": 8.0,
    }

    values = [figure.value for figure in figures("it", rise, 10.0)]

    assert values == pytest.approx([-5.0, 50.0, 80.0])


def test_without_a_binary_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KEPLER", raising=False)

    (figure,) = run(Spans(0, 0))

    assert figure.value is None
    assert figure.note == "not measured: KEPLER is not set"


@pytest.mark.xdist_group("machine")
def test_a_binary_is_started_and_read_beside_our_agent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    binary = tmp_path / "kepler"
    binary.write_text(SCRIPT.format(python=sys.executable))
    binary.chmod(0o755)
    monkeypatch.setenv("KEPLER", str(binary))

    measured = {figure.name: figure.value for figure in run(Spans(0, 5.0))}

    assert measured["Kepler: processes against active energy"] == pytest.approx(-20, abs=0.1)
    assert measured["Wattribute: processes against active energy"] == pytest.approx(0, abs=0.01)
    captured = measured["Wattribute: CPU time captured"]
    assert captured is not None
    assert captured > 20
    assert (measured["Kepler: CPU time"] or 0) > 0
