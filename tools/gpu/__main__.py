"""``make gpu-validate``: Wattribute against a real GPU; writes docs/reference/gpu-validation.md.

Idle, one load, a smaller one, both at once (and under MPS, if it can be started), a short
job: what the monitor shares out is compared with the device's own counter, and the split
of two with what each draws alone. What NVML said is kept for tests.
"""

import argparse
import datetime as dt
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tools.gpu.page import render
from tools.gpu.watch import Case, Load, Watcher

from wattribute.core.errors import MeterError
from wattribute.node.agent import local_monitor
from wattribute.node.meter.nvml import load_library
from wattribute.node.settings import (
    AttributionSettings,
    MeterSettings,
    MonitorSettings,
    NodeSettings,
)

ROOT: Final = Path(__file__).resolve().parents[2]
PAGE: Final = ROOT / "docs/reference/gpu-validation.md"
RECORDING: Final = ROOT / "tests/machines/nvml-samples.json"
_LARGE: Final = 1.0
_SMALL: Final = 0.3
_CANNOT: Final = 5


def main() -> int:
    """Run all cases; the exit code: 5 without a GPU, 1 if something does not add up."""
    parser = argparse.ArgumentParser(prog="python -m tools.gpu", description=__doc__)
    parser.add_argument("--library", default="", help="libnvidia-ml.so.1, if it lies elsewhere")
    parser.add_argument("--load", default=f"{sys.executable} -m tools.gpu.load",
                        help="program that takes --seconds and --duty")  # fmt: skip
    parser.add_argument("--seconds", type=float, default=30.0, help="of each case")
    parser.add_argument("--idle-seconds", type=float, default=60.0)
    parser.add_argument("--page", type=Path, default=PAGE)
    parser.add_argument("--recording", type=Path, default=RECORDING)
    asked = parser.parse_args()
    settings = NodeSettings(
        meter=MeterSettings(use=("nvml",), nvml_library=asked.library),
        attribution=AttributionSettings(idle_policy="none"),
        monitor=MonitorSettings(interval=1.0),
    )
    try:
        cases, devices, driver, notes = _validate(settings, asked)
    except MeterError as error:
        print(f"gpu-validate: {error}", file=sys.stderr)
        return _CANNOT
    date = dt.datetime.now(tz=dt.UTC).date().isoformat()
    asked.page.write_text(render(cases, devices, driver, date, notes), encoding="utf-8")
    asked.recording.write_text(_recording(cases, devices, driver, date), encoding="utf-8")
    print(f"{asked.page}: written; {asked.recording}: written")
    return 0 if all(case.gap_uj == 0 for case in cases) else 1


def _validate(
    settings: NodeSettings, asked: argparse.Namespace
) -> tuple[list[Case], list[str], str, list[str]]:
    from wattribute.node.meter.nvml_library import opened  # noqa: PLC0415 - not without the library

    with local_monitor(settings) as monitor:
        library = opened(load_library(settings.meter.nvml_library))
        devices = [
            f"{library.name(handle)}, {library.uuid(handle)}" for _, handle in library.devices()
        ]
        # A device without work clocks down after some seconds: its floor is learned from the rest.
        watcher = Watcher(monitor, library, asked.load)
        length = asked.seconds
        large, small = Load(_LARGE, length), Load(_SMALL, length)
        cases = [
            watcher.run("idle", asked.idle_seconds),
            watcher.run("one load", length, large),
            watcher.run("one small load", length, small),
            watcher.run("two loads", length, large, small),
            watcher.run("short job", 3.0, Load(_LARGE, 2.0)),
        ]
        notes = []
        with _mps() as environment:
            if environment is None:
                notes.append("MPS could not be started here (nvidia-cuda-mps-control): not tried.")
            else:
                case = watcher.run("two loads, MPS", length, large, small, environment=environment)
                cases.append(case)
        driver = library.driver()
    return cases, devices, driver, notes


@contextmanager
def _mps() -> Iterator[dict[str, str] | None]:
    """A Multi-Process Service of our own; None: it cannot be started."""
    control = shutil.which("nvidia-cuda-mps-control")
    if control is None:
        yield None
        return
    with tempfile.TemporaryDirectory() as folder:
        places = {"CUDA_MPS_PIPE_DIRECTORY": folder, "CUDA_MPS_LOG_DIRECTORY": folder}
        environment = os.environ | places
        started = subprocess.run([control, "-d"], env=environment, check=False)
        try:
            yield places if started.returncode == 0 else None
        finally:
            subprocess.run([control], input=b"quit\n", env=environment, check=False)


def _recording(cases: list[Case], devices: list[str], driver: str, date: str) -> str:
    """What nvmlDeviceGetProcessUtilization gave: since when it was asked, and the samples."""
    body = {
        "date": date,
        "driver": driver,
        "devices": devices,
        "columns": ["pid", "at_us", "sm_percent"],
        "cases": {case.name: case.samples for case in cases},
    }
    return json.dumps(body) + "\n"


if __name__ == "__main__":
    sys.exit(main())
