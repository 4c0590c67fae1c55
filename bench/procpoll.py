"""What reading /proc every few seconds sees: the way of Kepler 0.10 and later, to compare with.

As there: a new process counts with all of its time so far, one that has gone
with nothing since the last look, one that came and went in between not at all.
"""

import os
import threading
import time
from pathlib import Path
from typing import Final

_TICK_NS: Final = 1_000_000_000 // os.sysconf("SC_CLK_TCK")


class ProcPoller:
    """Looks at the processes of one cgroup, in a thread, until it is stopped."""

    def __init__(self, cgroup: str, interval_s: float) -> None:
        """Start to look at /proc in a thread."""
        self._cgroup = cgroup
        self._interval_s = interval_s
        self.seen_ns: dict[int, int] = {}
        """CPU time of each process at the last look."""
        self.captured_ns = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> int:
        """Stop, and return the nanoseconds that were seen."""
        self._stop.set()
        self._thread.join()
        return self.captured_ns

    def _run(self) -> None:
        next_s = time.monotonic()
        while not self._stop.wait(max(0.0, next_s - time.monotonic())):
            next_s += self._interval_s
            self._look()

    def _look(self) -> None:
        now: dict[int, int] = {}
        for entry in os.scandir("/proc"):
            if not entry.name.isdigit():
                continue
            try:
                if self._cgroup not in Path(entry.path, "cgroup").read_text():
                    continue
                stat = Path(entry.path, "stat").read_bytes()
            except OSError:  # it has ended meanwhile
                continue
            user, system = stat.rpartition(b")")[2].split()[11:13]
            now[int(entry.name)] = (int(user) + int(system)) * _TICK_NS
        self.captured_ns += sum(ns - self.seen_ns.get(pid, 0) for pid, ns in now.items())
        self.seen_ns = now
