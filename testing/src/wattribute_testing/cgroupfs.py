"""A cgroup file system in a folder, whose counters the test turns by hand."""

import shutil
from pathlib import Path
from typing import Literal, Self


class FakeCgroupfs:
    """Cgroup v2, v1 (one mount per controller) or hybrid (v1 beside an unused v2)."""

    def __init__(
        self, root: Path, version: Literal["v2", "v1", "hybrid"] = "v2", *, cpus: int = 1
    ) -> None:
        """Make the hierarchies' roots under ``root``."""
        self.root = root
        self.version = version
        self.cpus = cpus
        self._v2 = version == "v2"
        self._used_ns: dict[str, list[int]] = {}
        if version != "v1":
            unified = root if self._v2 else root / "unified"
            unified.mkdir(parents=True, exist_ok=True)
            (unified / "cgroup.controllers").write_text("cpu memory\n" if self._v2 else "\n")
        self.add("/")

    def folder(self, path: str) -> Path:
        """The folder that counts the CPU time of a cgroup."""
        return (self.root if self._v2 else self.root / "cpu,cpuacct") / path.lstrip("/")

    def id(self, path: str) -> int:
        """Id of a cgroup."""
        return self.folder(path).stat().st_ino

    def add(self, path: str) -> Self:
        """Make a cgroup, and those above it, with counters at 0."""
        above = path.rstrip("/").rpartition("/")[0]
        if path != "/" and (above or "/") not in self._used_ns:
            self.add(above or "/")
        self._used_ns[path] = [0] * self.cpus
        self.folder(path).mkdir(parents=True, exist_ok=True)
        self._memory(path).parent.mkdir(parents=True, exist_ok=True)
        (self.folder(path) / "cgroup.procs").write_text("")
        self._write(path)
        self.charge(path, 0)
        return self

    def use(self, path: str, used_ns: int, *, cpu: int = 0) -> None:
        """Let a cgroup run on a CPU: its counter and those above it go up."""
        while True:
            self._used_ns[path][cpu] += used_ns
            self._write(path)
            if path == "/":
                return
            path = path.rpartition("/")[0] or "/"

    def charge(self, path: str, memory_bytes: int) -> None:
        """Set a cgroup's memory (v2: the root has no such file)."""
        if path != "/" or not self._v2:
            self._memory(path).write_text(f"{memory_bytes}\n")

    def join(self, path: str, pid: int) -> None:
        """Put a process into a cgroup's list."""
        with (self.folder(path) / "cgroup.procs").open("a") as procs:
            procs.write(f"{pid}\n")

    def remove(self, path: str) -> None:
        """Remove a cgroup and all under it; the time stays in the counters above."""
        for removed in [p for p in self._used_ns if p == path or p.startswith(f"{path}/")]:
            del self._used_ns[removed]
        shutil.rmtree(self.folder(path))
        if not self._v2:
            shutil.rmtree(self._memory(path).parent)

    def _memory(self, path: str) -> Path:
        if self._v2:
            return self.folder(path) / "memory.current"
        return self.root / "memory" / path.lstrip("/") / "memory.usage_in_bytes"

    def _write(self, path: str) -> None:
        used_ns = self._used_ns[path]
        folder = self.folder(path)
        if self._v2:
            usec = sum(used_ns) // 1000
            (folder / "cpu.stat").write_text(
                f"usage_usec {usec}\nuser_usec {usec}\nsystem_usec 0\n"
            )
        else:
            (folder / "cpuacct.usage").write_text(f"{sum(used_ns)}\n")
            (folder / "cpuacct.usage_percpu").write_text(f"{' '.join(map(str, used_ns))} \n")
