"""A procfs in a folder, whose processes live and die as the test says."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

TICK_NS: Final = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
"""What the numbers of /proc/stat and /proc/PID/stat count."""
_KERNEL_THREAD: Final = 0x0020_0000
_FIELDS: Final = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal", "guest")


@dataclass
class _Process:
    comm: bytes
    parent_pid: int
    flags: int
    ticks: int
    start_ticks: int


class FakeProcfs:
    """``/proc/stat`` and the files of processes that the agent reads."""

    def __init__(self, root: Path, *, cpus: int = 1) -> None:
        """A machine with CPUs that did nothing, and no process."""
        self.root = root
        root.mkdir(parents=True, exist_ok=True)
        self._cpus = {cpu: dict.fromkeys(_FIELDS, 0) for cpu in range(cpus)}
        self._offline: set[int] = set()
        self._processes: dict[int, _Process] = {}
        self._write_stat()

    def run_cpu(self, cpu: int = 0, **ticks: int) -> Self:
        """Let times of a CPU go up by ticks: ``run_cpu(0, user=5, steal=1)``."""
        for field, count in ticks.items():
            self._cpus[cpu][field] += count
        self._write_stat()
        return self

    def set_online(self, cpu: int, *, online: bool) -> None:
        """Take a CPU away, or bring it back with its old counters."""
        (self._offline.discard if online else self._offline.add)(cpu)
        self._write_stat()

    def start(
        self,
        pid: int,
        comm: bytes = b"sh",
        *,
        cgroup: str = "0::/",
        parent_pid: int = 1,
        start_ticks: int = 100,
        ticks: int = 0,
        kernel: bool = False,
        cmdline: tuple[bytes, ...] = (),
        cpus_allowed: str = "0",
    ) -> Self:
        """Start a process that has used some ticks of CPU already."""
        folder = self.root / str(pid)
        folder.mkdir()
        flags = _KERNEL_THREAD if kernel else 0
        self._processes[pid] = _Process(comm, parent_pid, flags, ticks, start_ticks)
        (folder / "cmdline").write_bytes(b"".join(word + b"\0" for word in cmdline))
        (folder / "status").write_text(
            f"Name:\tx\nPid:\t{pid}\nCpus_allowed_list:\t{cpus_allowed}\n"
        )
        self.move(pid, cgroup)
        self._write_process(pid)
        return self

    def run(self, pid: int, ticks: int) -> None:
        """Let a process use CPU time."""
        self._processes[pid].ticks += ticks
        self._write_process(pid)

    def rename(self, pid: int, comm: bytes) -> None:
        """What exec(2) does to a process's name."""
        self._processes[pid].comm = comm
        self._write_process(pid)

    def move(self, pid: int, cgroup: str) -> None:
        """Set the lines of /proc/PID/cgroup."""
        (self.root / str(pid) / "cgroup").write_bytes(os.fsencode(cgroup) + b"\n")

    def exit(self, pid: int) -> None:
        """End a process."""
        del self._processes[pid]
        shutil.rmtree(self.root / str(pid))

    def vanish(self, pid: int, file: str = "stat") -> None:
        """Let a process be listed, and die before this file of it can be read."""
        path = self.root / str(pid) / file
        path.unlink()
        path.symlink_to("gone")

    def _write_stat(self) -> None:
        online = {cpu: f for cpu, f in self._cpus.items() if cpu not in self._offline}
        total = [sum(fields[name] for fields in self._cpus.values()) for name in _FIELDS]
        lines = [f"cpu  {' '.join(map(str, total))} 0"]
        lines += [f"cpu{cpu} {' '.join(map(str, f.values()))} 0" for cpu, f in online.items()]
        lines += ["intr 0", "ctxt 0", "btime 1", "processes 1"]
        (self.root / "stat").write_text("\n".join(lines) + "\n")

    def _write_process(self, pid: int) -> None:
        p = self._processes[pid]
        # proc(5): pid (comm) state ppid pgrp session tty tpgid flags minflt cminflt majflt cmajflt
        # utime stime cutime cstime priority nice threads itrealvalue starttime vsize ...
        (self.root / str(pid) / "stat").write_bytes(
            b"%d (%b) S %d 1 1 0 -1 %d 0 0 0 0 %d 0 9 9 20 0 1 0 %d 1000 10 0\n"
            % (pid, p.comm, p.parent_pid, p.flags, p.ticks, p.start_ticks)
        )
