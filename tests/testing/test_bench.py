"""The parts of the benchmark that judge must judge right."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from wattribute_testing.plant import Journal
from wattribute_testing.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _bench_is_importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT)


def journal(tmp_path: Path) -> Journal:
    lines = ["at_ns,package-0/floor,package-0/a"]
    lines += [f"{n * 50},{n * n * 1000},{n * 7}" for n in range(100)]
    (tmp_path / "journal.csv").write_text("\n".join(lines) + "\n")
    return Journal(tmp_path / "journal.csv")


def test_one_microjoule_off_is_seen(tmp_path: Path) -> None:
    from bench.conservation import off_uj

    written = journal(tmp_path)
    totals = written.zone_totals("package-0")
    ticks = [20, 40, 60]
    at_ns = [written.at_ns[tick] + 10 for tick in ticks]
    # The agent counts from its own start, and reads a value or two after the tick's instant.
    said = [totals[tick + 1] - 12_345 for tick in ticks]

    assert off_uj(said, at_ns, written, "package-0") == (0, 2)
    said[2] += 1
    assert off_uj(said, at_ns, written, "package-0") == (1, 2)


def test_a_target_that_was_not_measured_is_neither_met_nor_missed(tmp_path: Path) -> None:
    from bench.figure import at_most, shown, unmeasured, within, write_json

    figures = [
        at_most("s", "low enough", 5.9, most=6.0, unit="ms"),
        at_most("s", "too high", 6.1, most=6.0, unit="ms"),
        within("s", "inside", 99.6, low=99.5, high=100.5, unit="%"),
        shown("s", "only shown", 3.0, "W"),
        unmeasured("s", "not here", "0 ns", "no cycles are counted"),
    ]
    write_json(tmp_path / "bench.json", figures, window_s=60)
    body = json.loads((tmp_path / "bench.json").read_text())

    assert [f["result"] for f in body["figures"]] == ["pass", "miss", "pass", "", "unmeasured"]
    assert body["figures"][4]["note"] == "no cycles are counted"


def test_reading_proc_sees_only_who_is_there_when_it_looks() -> None:
    from bench.procpoll import ProcPoller

    spin = "import time\nwhile time.process_time() < 0.3: pass\nprint(flush=True)\ninput()"
    with subprocess.Popen(
        [sys.executable, "-c", spin], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        poller = ProcPoller("/", 60.0)
        wait_until(lambda: child.pid in poller.seen_ns)
        child.communicate(b"\n")
    captured = poller.stop()

    assert poller.seen_ns[child.pid] >= 0.25e9
    assert captured >= poller.seen_ns[child.pid]
    assert ProcPoller("/no/such/cgroup", 60.0).stop() == 0


def test_an_unknown_section_is_refused() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench", "nonsense"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    assert "no section nonsense; there are churn, conservation" in done.stderr


def test_names_lose_nothing_and_come_at_once(tmp_path: Path) -> None:
    """The figures of the section kube that do not depend on the machine's speed."""
    from bench import kube

    figures = [*kube.names(tmp_path), *kube.outage(tmp_path)]

    assert len(figures) == 5
    assert [figure.name for figure in figures if figure.met is False] == []


@pytest.mark.root
def test_a_crowd_fills_its_containers_and_leaves_nothing_behind() -> None:
    from bench.crowd import crowd
    from bench.programs import NotHere

    try:
        with crowd(40, 4) as containers:
            assert [len(procs.read_text().split()) for procs in containers] == [10] * 4
    except NotHere as exc:
        pytest.skip(str(exc))
    assert not any(procs.parent.exists() for procs in containers)
