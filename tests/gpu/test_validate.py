"""`make gpu-validate` on the fake driver, with loads that only say that they run."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from wattribute_testing import FakeNvml

ROOT = Path(__file__).parents[2]
LOAD = """\
import os, sys, time
duty = float(sys.argv[sys.argv.index("--duty") + 1])
mark = os.path.join({folder!r}, str(os.getpid()))
open(mark, "w").write(str(duty))
time.sleep(float(sys.argv[sys.argv.index("--seconds") + 1]))
os.unlink(mark)
"""


class Driver(threading.Thread):
    """Turns marks of running loads into energy and samples: 30 W, and 300 W of time on it."""

    def __init__(self, nvml: FakeNvml, marks: Path) -> None:
        super().__init__(daemon=True)
        self.nvml, self.marks = nvml, marks
        self.stopped = threading.Event()
        self.gpu = nvml.gpu("GPU-a")
        nvml.write()

    def run(self) -> None:
        last = time.monotonic()
        energy_mj = 0.0
        while not self.stopped.wait(0.1):
            now = time.monotonic()
            elapsed, last = now - last, now
            duties = {}
            for mark in self.marks.iterdir():
                try:
                    duties[int(mark.name)] = float(mark.read_text())
                except (OSError, ValueError):
                    continue
            whole = max(sum(duties.values()), 1.0)
            for pid, duty in duties.items():
                self.gpu.ran(pid, round(100 * duty / whole), at_us=int(now * 1e6))
            self.gpu.samples = self.gpu.samples[-300:]
            energy_mj += (30_000 + 300_000 * sum(duties.values()) / whole) * elapsed
            self.gpu.energy_mj = int(energy_mj)
            self.nvml.write()


@pytest.fixture
def driver(nvml: FakeNvml, tmp_path: Path) -> Iterator[Driver]:
    (tmp_path / "marks").mkdir()
    driver = Driver(nvml, tmp_path / "marks")
    driver.start()
    yield driver
    driver.stopped.set()
    driver.join()


def validate(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tools.gpu", *map(str, arguments)],
        cwd=ROOT, env=os.environ | {"PYTHONPATH": "src"}, capture_output=True, text=True,
        check=False, timeout=110,
    )  # fmt: skip


@pytest.mark.slow
def test_it_measures_every_case_and_writes_the_page_and_what_the_driver_said(
    driver: Driver, tmp_path: Path
) -> None:
    load = tmp_path / "load.py"
    load.write_text(LOAD.format(folder=str(driver.marks)))
    page, recording = tmp_path / "page.md", tmp_path / "samples.json"
    done = validate(
        "--library", driver.nvml.library, "--load", f"{sys.executable} {load}", "--seconds", 1,
        "--idle-seconds", 1, "--page", page, "--recording", recording,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    text = page.read_text()
    assert "NVIDIA H100 80GB HBM3, GPU-a" in text
    assert "driver 550.54.15" in text
    for case in ("idle", "one load", "one small load", "two loads", "short job"):
        assert f"| {case} |" in text
    assert "Shares, floor and unattributed are the monitor's energy to the microjoule." in text
    assert any(
        len(samples) for _, samples in json.loads(recording.read_text())["cases"]["one load"]
    )


def test_without_a_gpu_it_says_so_and_writes_nothing(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    done = validate("--library", tmp_path / "none.so", "--page", page)

    assert done.returncode == 5
    assert "there is no such file" in done.stderr
    assert not page.exists()
