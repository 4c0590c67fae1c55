"""The plant's children: started in their cgroup, watched, reaped, and never left behind."""

import contextlib
import os
import shutil
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from wattribute_testing.plant.scenario import Burn, Churn, Command, Group, load_points
from wattribute_testing.plant.usage import process_ns

_SOURCE: Final = Path(__file__).with_name("burner.c")
_RECORD: Final = struct.Struct("qq")  # pid, CPU ns: what churn writes
_FAR_FUTURE_S: Final = 1e9


@dataclass(slots=True)
class Process:
    """One process of a group, from its start to its last nanosecond."""

    group: int
    pid: int
    name: str
    lane: int = 0
    """Pid of the lane that started it; 0: the plant did."""
    cpu_ns: int = 0
    """CPU time so far; of itself alone, as far as the kernel lets one tell."""
    package_femto: int = 0
    dram_femto: int = 0
    ended: bool = False


@dataclass(slots=True)
class _Child:
    """A process that the plant started itself, and reaps."""

    process: Process
    schedstat: int
    stop_s: float
    report: int = -1
    reported_ns: int = 0
    """Of the processes that it started and reaped (churn)."""


def build_burner(folder: Path) -> list[str]:
    """The command that starts a burner: compiled into ``folder``, else the one in Python."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler:
        program = folder / "burner"
        built = subprocess.run(
            [compiler, "-O1", "-o", str(program), str(_SOURCE)], capture_output=True, check=False
        )
        if built.returncode == 0:
            return [str(program)]
    return [sys.executable, "-S", "-E", str(_SOURCE.with_suffix(".py"))]


class Fleet:
    """All children of one plant."""

    def __init__(
        self, groups: Sequence[Group], join_files: Sequence[Sequence[str]], burner: Sequence[str]
    ) -> None:
        """Nothing runs yet.

        Args:
            groups: what to run.
            join_files: by group, the cgroup.procs files through which its processes join.
            burner: the command that starts a burner.
        """
        self._groups = groups
        self._join_files = join_files
        self._burner = list(burner)
        self._waiting: list[tuple[float, int, Command]] = sorted(
            (
                (command.start_s, number, command)
                for number, group in enumerate(groups)
                for command in group.commands
            ),
            key=lambda item: item[0],
        )
        self._live: list[_Child] = []
        self.processes: list[Process] = []
        """Everyone who was seen, dead or alive."""
        self.notes: list[str] = []
        """Commands that failed."""

    def start_due(self, elapsed_s: float) -> None:
        """Start the commands whose time has come."""
        while self._waiting and self._waiting[0][0] <= elapsed_s:
            _, number, command = self._waiting.pop(0)
            copies = command.lanes if isinstance(command, Churn) else command.count
            for copy in range(copies):
                self._start(number, command, copy)

    def poll(self, elapsed_s: float) -> list[tuple[Process, int]]:
        """Reap, and return who used how many nanoseconds since the last call."""
        changes: list[tuple[Process, int]] = []
        for child in list(self._live):
            if elapsed_s >= child.stop_s:
                child.stop_s = _FAR_FUTURE_S
                os.kill(child.process.pid, signal.SIGKILL)
            pid, status, usage = os.wait4(child.process.pid, os.WNOHANG)
            changes += self._drain(child)
            if pid:
                # rusage holds what the child has reaped itself: that was reported one by one.
                total_ns = round((usage.ru_utime + usage.ru_stime) * 1e9) - child.reported_ns
                changes.append(_advance(child.process, total_ns))
                if os.WIFEXITED(status) and os.WEXITSTATUS(status):
                    self.notes.append(
                        f"{child.process.name}: process {pid} "
                        f"ended with status {os.WEXITSTATUS(status)}"
                    )
                self._forget(child)
            elif (ns := process_ns(child.schedstat)) is not None:
                changes.append(_advance(child.process, ns))
        return [change for change in changes if change[1]]

    def stop(self, elapsed_s: float) -> list[tuple[Process, int]]:
        """Kill and reap everyone; return the last time used, as ``poll`` does."""
        self._waiting.clear()
        for child in self._live:
            with contextlib.suppress(ProcessLookupError):
                # Its own process group: what it started goes with it.
                os.killpg(child.process.pid, signal.SIGKILL)
        changes: list[tuple[Process, int]] = []
        while self._live:
            changes += self.poll(elapsed_s)
            if self._live:
                time.sleep(0.002)
        return changes

    def _start(self, number: int, command: Command, copy: int) -> None:
        group = self._groups[number]
        argv = list(self._burner)
        for file in self._join_files[number]:
            argv += ["--join", file]
        if group.cpus:
            argv += ["--cpus", ",".join(map(str, group.cpus))]
        argv += ["--parent", str(os.getpid()), group.name]
        report = write_end = -1
        if isinstance(command, Burn):
            argv += ["burn", _schedule(command)]
        elif isinstance(command, Churn):
            report, write_end = os.pipe()
            os.set_blocking(report, False)
            os.set_inheritable(write_end, True)  # noqa: FBT003
            share = (command.processes + command.lanes - 1 - copy) // command.lanes
            rate = command.per_second / command.lanes
            argv += ["churn", str(share), str(command.burst_ms), str(rate), str(write_end)]
        else:
            argv += ["run", *command.argv]
        try:
            pid = os.posix_spawn(argv[0], argv, os.environ, setpgroup=0)
        finally:
            if write_end >= 0:
                os.close(write_end)
        process = Process(number, pid, group.name)
        self.processes.append(process)
        schedstat = os.open(f"/proc/{pid}/schedstat", os.O_RDONLY | os.O_CLOEXEC)
        stop_s = command.stop_s if command.stop_s is not None else _FAR_FUTURE_S
        self._live.append(_Child(process, schedstat, stop_s, report))

    def _drain(self, child: _Child) -> list[tuple[Process, int]]:
        """Processes that a lane has reaped since the last time."""
        if child.report < 0:
            return []
        try:
            data = os.read(child.report, 1 << 16)
        except BlockingIOError:
            return []
        ended: list[tuple[Process, int]] = []
        for pid, cpu_ns in _RECORD.iter_unpack(data):
            lane = child.process
            process = Process(lane.group, pid, lane.name, lane=lane.pid, ended=True)
            self.processes.append(process)
            child.reported_ns += cpu_ns
            ended.append(_advance(process, cpu_ns))
        return ended

    def _forget(self, child: _Child) -> None:
        child.process.ended = True
        self._live.remove(child)
        os.close(child.schedstat)
        if child.report >= 0:
            os.close(child.report)


def _advance(process: Process, total_ns: int) -> tuple[Process, int]:
    """Set a process's time; never backwards (rusage has microseconds, schedstat nanoseconds)."""
    spent_ns = max(0, total_ns - process.cpu_ns)
    process.cpu_ns += spent_ns
    return process, spent_ns


def _schedule(command: Burn) -> str:
    return ",".join(f"{at:.3f}:{value}" for at, value in load_points(command.load))
