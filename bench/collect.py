"""How long `wattribute ledger collect` takes from a real Prometheus, and what memory it needs."""

import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Final

import httpx

from bench.cluster_hours import Shape, json_lines, write
from bench.figure import Figure, at_most, shown, unmeasured, within
from wattribute.accounting.ledger.store import Store

SECTION: Final = "collect"
_QUICK_S: Final = 30.0
_START_S: Final = 1_790_812_800 - 86_400 * 40
"""A midnight; one two-hour block of Prometheus has it all."""


def run(window_s: float) -> Iterator[Figure]:
    """100,000 series-hours at 30 s; a tenth of them when in a hurry."""
    small = window_s < _QUICK_S
    nodes, containers = (4, 58) if small else (20, 114)
    shape = Shape(nodes=nodes, containers=containers, start_s=_START_S, hours=4)
    for server, start in (("prometheus", _prometheus), ("victoria-metrics", _victoria)):
        if not shutil.which(server):
            yield unmeasured(SECTION, server, "", f"no program {server}")
            continue
        with tempfile.TemporaryDirectory() as name, start(shape, Path(name)) as url:
            yield from _collect(server, shape, url, Path(name))


def _backfill(shape: Shape, folder: Path) -> None:
    text = folder / "hours.om"
    write(shape, text)
    command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", "--quiet"]
    command += ["--max-block-duration=720h", str(text), str(folder / "data")]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    text.unlink()


@contextmanager
def _prometheus(shape: Shape, folder: Path) -> Iterator[str]:
    _backfill(shape, folder)
    address = _free_address()
    (folder / "prometheus.yml").write_text("{}")
    command = ["prometheus", f"--config.file={folder / 'prometheus.yml'}", "--log.level=error"]
    command += [f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address={address}",
                "--storage.tsdb.retention.time=10y"]  # fmt: skip
    with _running(command, f"http://{address}/-/ready"):
        yield f"http://{address}"


@contextmanager
def _victoria(shape: Shape, folder: Path) -> Iterator[str]:
    address = _free_address()
    command = ["victoria-metrics", f"-storageDataPath={folder / 'data'}", "-loggerLevel=ERROR"]
    command += [f"-httpListenAddr={address}", "-retentionPeriod=10y"]
    with _running(command, f"http://{address}/health"):
        for batch in _batches(json_lines(shape), 2000):
            _post(f"http://{address}/api/v1/import", b"".join(batch))
        _post(f"http://{address}/internal/force_flush", b"")
        yield f"http://{address}"


def _batches(lines: Iterator[bytes], size: int) -> Iterator[list[bytes]]:
    while batch := list(islice(lines, size)):
        yield batch


def _post(url: str, body: bytes) -> None:
    httpx.post(url, content=body, timeout=60).raise_for_status()


def _free_address() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


@contextmanager
def _running(command: list[str], ready: str) -> Iterator[None]:
    server = subprocess.Popen(command)
    try:
        while True:
            try:
                httpx.get(ready, timeout=5).raise_for_status()
                break
            except httpx.HTTPError:
                time.sleep(0.1)
        yield
    finally:
        server.terminate()
        server.wait()


def _collect(server: str, shape: Shape, url: str, folder: Path) -> Iterator[Figure]:
    def command(hours: int) -> list[str]:
        seconds = (shape.start_s, shape.start_s + hours * 3600)
        begin, end = (time.strftime("%Y-%m-%dT%H:%M", time.gmtime(s)) for s in seconds)
        name = str(folder / f"ledger-{hours}")
        return [sys.executable, "-m", "wattribute", "ledger", "collect", "--prometheus", url,
                "--from", begin, "--to", end, "--ledger", name]  # fmt: skip

    _, first_mib, _ = _measured(command(1))
    wall_s, all_mib, cpu_s = _measured(command(shape.hours))
    entries = Store.at(str(folder / f"ledger-{shape.hours}")).entries(
        shape.start_s, shape.start_s + shape.hours * 3600, ["kind", "energy_uj"]
    )
    dynamic = sum(energy for kind, energy in zip(*(entries.column(name).to_pylist()
                  for name in ("kind", "energy_uj")), strict=True) if kind != "idle")  # fmt: skip
    lost = dynamic - shape.node_hour_uj * shape.nodes * shape.hours
    note = f"{shape.series_hours:,} series-hours at {shape.step_s} s, {shape.hours} hours"
    scaled = wall_s * 100_000 / shape.series_hours
    name = f"{server}: 100,000 series-hours"
    if shape.series_hours < 100_000:  # then most of it is the start of the command
        yield shown(SECTION, name, scaled, "s", f"scaled up from {note}")
    else:
        yield at_most(SECTION, name, scaled, most=60.0, unit="s", note=note)
    yield shown(SECTION, "of which our CPU time", cpu_s * 100_000 / shape.series_hours, "s")
    yield within(SECTION, "energy lost or made", lost, low=0, high=0, unit="uJ")
    yield shown(SECTION, "peak memory, 1 hour", first_mib, "MiB")
    yield at_most(SECTION, "peak memory, 4 hours, over 1 hour", all_mib / first_mib, most=1.1,
                  unit="x", note=f"{all_mib:.0f} MiB")  # fmt: skip


_LAUNCHER: Final = """
import json, os, subprocess, sys, time
start = time.monotonic()
child = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, used = os.wait4(child.pid, 0)
wall_s, cpu_s = time.monotonic() - start, used.ru_utime + used.ru_stime
print(json.dumps([os.waitstatus_to_exitcode(status), wall_s, used.ru_maxrss / 1024, cpu_s]))
"""
"""A process of its own: a child's peak memory begins with that of whoever forked it."""


def _measured(command: list[str]) -> tuple[float, float, float]:
    """Seconds, peak MiB and CPU seconds of a command."""
    launched = [sys.executable, "-S", "-c", _LAUNCHER, *command]
    out = subprocess.run(launched, check=True, stdout=subprocess.PIPE).stdout
    code, wall_s, peak_mib, cpu_s = json.loads(out)
    if code:
        raise subprocess.CalledProcessError(code, command)
    return wall_s, peak_mib, cpu_s
