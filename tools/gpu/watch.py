"""Watches GPUs with Wattribute's own monitor while loads run."""

import os
import shlex
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from wattribute.core.records import Mode, Snapshot
from wattribute.core.units import MICROJOULES_PER_MILLIJOULE, joules, seconds
from wattribute.node.meter.nvml_library import NvmlLibrary
from wattribute.node.monitor.loop import Monitor

TICK_S = 1.0


@dataclass(frozen=True, slots=True)
class Load:
    """A process on the GPU."""

    duty: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Case:
    """What was seen while some loads ran."""

    name: str
    loads: tuple[Load, ...]
    elapsed_s: float
    counter_j: float
    """Of the device, asked of NVML beside the monitor; of all devices together."""
    node_j: float
    """As the monitor has it, over its own ticks."""
    floor_j: float
    unattributed_j: float
    shares_j: tuple[float, ...]
    """Of each load."""
    others_j: float
    """Of processes that are no load of ours."""
    gap_uj: int
    """Energy of the node less shares, floor and unattributed: 0, or it is a bug."""
    busy: float
    """Mean of the devices' busiest."""
    tick_cpu_ms: float
    """Worst tick."""
    samples: tuple[tuple[int, tuple[tuple[int, int, int], ...]], ...]
    """What the driver said of device 0, each tick: asked since when, and (pid, at_us, percent)."""

    @property
    def dynamic_w(self) -> float:
        """Mean power above the floor."""
        return (self.node_j - self.floor_j) / max(self.elapsed_s, 1e-9)


class Watcher:
    """A monitor that ticks every second, and NVML beside it."""

    def __init__(self, monitor: Monitor, library: NvmlLibrary, command: str) -> None:
        """``command`` starts a load; ``--seconds`` and ``--duty`` are added."""
        self._monitor = monitor
        self._library = library
        self._handles = [handle for _, handle in library.devices()]
        self._command = shlex.split(command)
        self._since_us = 0

    def run(
        self, name: str, length_s: float, *loads: Load, environment: dict[str, str] | None = None
    ) -> Case:
        """Start the loads, and watch until the time is over and they have ended."""
        before, counter_mj = self._tick(), self._counter_mj()
        began = time.monotonic()
        busy, cost, samples = [], [0.0], []
        after = before
        with self._started(loads, environment or {}) as children:
            while time.monotonic() - began < length_s or any(c.poll() is None for c in children):
                time.sleep(TICK_S)
                samples.append(self._samples())
                after = self._tick()
                cost.append(seconds(after.health.tick_cpu_ns) * 1e3)
                told = [gpu.utilisation for gpu in after.gpus if gpu.utilisation is not None]
                busy.append(max(told, default=0.0))
            time.sleep(TICK_S)  # what drivers say late
            after = self._tick()
        counter_mj = self._counter_mj() - counter_mj
        pids = [child.pid for child in children]
        return _case(
            name, loads, before, after, pids,
            counter_j=joules(counter_mj * MICROJOULES_PER_MILLIJOULE),
            busy=sum(busy) / max(len(busy), 1), tick_cpu_ms=max(cost), samples=tuple(samples),
        )  # fmt: skip

    def _tick(self) -> Snapshot:
        self._monitor.tick()
        snapshot = self._monitor.snapshot()
        while snapshot is None:
            time.sleep(TICK_S / 2)
            self._monitor.tick()
            snapshot = self._monitor.snapshot()
        return snapshot

    def _counter_mj(self) -> int:
        return sum(self._library.energy_mj(handle) for handle in self._handles)

    def _samples(self) -> tuple[int, tuple[tuple[int, int, int], ...]]:
        since_us = self._since_us
        found = self._library.samples(self._handles[0], since_us)
        self._since_us = max((sample.at_us for sample in found), default=since_us)
        return since_us, tuple((s.pid, s.at_us, s.sm_percent) for s in found)

    @contextmanager
    def _started(
        self, loads: Sequence[Load], environment: dict[str, str]
    ) -> Iterator[list[subprocess.Popen[bytes]]]:
        children = [
            subprocess.Popen(
                [*self._command, "--seconds", str(load.seconds), "--duty", str(load.duty)],
                env=os.environ | environment,
            )
            for load in loads
        ]
        try:
            yield children
        finally:
            for child in children:
                if child.poll() is None:
                    child.terminate()
                child.wait()


def _case(
    name: str,
    loads: tuple[Load, ...],
    before: Snapshot,
    after: Snapshot,
    pids: Sequence[int],
    *,
    counter_j: float,
    busy: float,
    tick_cpu_ms: float,
    samples: tuple[tuple[int, tuple[tuple[int, int, int], ...]], ...],
) -> Case:
    node_uj, floor_uj, lost_uj, shared_uj = (
        late - early for late, early in zip(_totals(after), _totals(before), strict=True)
    )
    shares = [_of_pid(after, pid) - _of_pid(before, pid) for pid in pids]
    return Case(
        name=name,
        loads=loads,
        elapsed_s=seconds(after.at_ns - before.at_ns),
        counter_j=counter_j,
        node_j=joules(node_uj),
        floor_j=joules(floor_uj),
        unattributed_j=joules(lost_uj),
        shares_j=tuple(joules(share) for share in shares),
        others_j=joules(shared_uj - sum(shares)),
        gap_uj=node_uj - floor_uj - lost_uj - shared_uj,
        busy=busy,
        tick_cpu_ms=tick_cpu_ms,
        samples=samples,
    )


def _columns(snapshot: Snapshot) -> list[int]:
    return [n for n, channel in enumerate(snapshot.channels) if channel.kind == "gpu"]


def _totals(snapshot: Snapshot) -> tuple[int, int, int, int]:
    """Of the GPUs: all energy, the floor, what is unattributed, and what containers have."""
    at, node = _columns(snapshot), snapshot.node
    return (
        int(node.energy_uj[at].sum()),
        int(node.energy_uj[at, Mode.IDLE].sum()),
        int(node.unattributed_uj[at].sum()),
        int(snapshot.containers.energy_uj[:, at, Mode.DYNAMIC].sum()),
    )


def _of_pid(snapshot: Snapshot, pid: int) -> int:
    rows = np.flatnonzero(snapshot.processes.pid == pid)
    return int(snapshot.processes.energy_uj[rows][:, _columns(snapshot)].sum())
