"""Read the counters of one cgroup from files that stay open."""

import os
import resource
from collections.abc import Callable
from operator import sub
from pathlib import Path
from typing import Final

_RESERVED: Final = 1024
"""Descriptors that are reserved for the rest of the process; half of the limit if it is small."""
_MOST: Final = 65_536
_MEMORY_BYTES: Final = 32


class Descriptors:
    """Opens and closes files, up to the number that may stay open.

    A kernfs file that has been read costs the kernel about 5 KB while it is open. Reading it
    again takes a third of the time of opening it again.
    """

    def __init__(self) -> None:
        """Raise the soft limit of open files to the hard limit, up to 65,536."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        limit = _MOST if hard == resource.RLIM_INFINITY else min(hard, _MOST)
        if soft != resource.RLIM_INFINITY and soft < limit:
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
        self.remaining = max(limit - _RESERVED, limit // 2)

    def open(self, path: str) -> int:
        """Open a file for reading; -1 if too many files are open, or it cannot be opened."""
        if self.remaining <= 0:
            return -1
        try:
            file = os.open(path, os.O_RDONLY)
        except OSError:
            return -1
        self.remaining -= 1
        return file

    def close(self, file: int) -> None:
        """Close a file that ``open`` returned; -1 is ignored."""
        if file >= 0:
            os.close(file)
            self.remaining += 1


class CgroupCounters:
    """The files of one cgroup, and the values of the last read."""

    __slots__ = (
        "_cpu_bytes", "_cpu_file", "_cpu_path", "_memory_file", "_memory_path", "_memory_text",
        "_parse", "_text", "last_ns", "memory_bytes", "moved", "parent",
    )  # fmt: skip

    def __init__(
        self,
        parent: "CgroupCounters | None",
        cpu: tuple[str, int, Callable[[bytes], list[int]]],
        memory_path: str,
        descriptors: Descriptors,
    ) -> None:
        """Open the files.

        Args:
            parent: counters of the parent cgroup.
            cpu: path of the file with CPU time, bytes to read from it, and the function
                that parses its text into ns by package (ValueError: it is not a counter).
            memory_path: path of the file with memory; "" if memory is not counted.
            descriptors: opens files up to the limit.
        """
        self.parent = parent
        self._cpu_path, self._cpu_bytes, self._parse = cpu
        self._cpu_file = descriptors.open(self._cpu_path)
        # A cgroup without the file has no memory controller: the file is not looked for again.
        self._memory_path = memory_path if memory_path and Path(memory_path).exists() else ""
        self._memory_file = descriptors.open(memory_path) if self._memory_path else -1
        self._text = self._memory_text = b""
        self.last_ns: list[int] | None = None
        """The CPU counter by package at the last read; None: not known."""
        self.moved = True
        """False if the CPU counter stood still at the last read."""
        self.memory_bytes = -1

    def used_ns(self) -> list[int] | None:
        """Return the CPU time in ns by package since the last call.

        None if it is not known: the first time, if the cgroup is gone or has no
        such counter, or if the counter fell (v1's can be set to 0).
        """
        try:
            text = (
                os.pread(self._cpu_file, self._cpu_bytes, 0)
                if self._cpu_file >= 0
                else _read(self._cpu_path, self._cpu_bytes)
            )
        except OSError:
            text = b""
        before_ns = self.last_ns
        if text == self._text and before_ns is not None:
            self.moved = False
            return [0] * len(before_ns)
        self.moved = True
        try:
            now_ns = self._parse(text)
        except ValueError:
            return None
        self.last_ns, self._text = now_ns, text
        if before_ns is None:
            return None
        rises_ns = list(map(sub, now_ns, before_ns))
        return None if min(rises_ns) < 0 else rises_ns

    def read_memory(self) -> None:
        """Read the bytes of memory that are charged to the cgroup now; -1 if not known."""
        if not self._memory_path:
            return
        try:
            text = (
                os.pread(self._memory_file, _MEMORY_BYTES, 0)
                if self._memory_file >= 0
                else _read(self._memory_path, _MEMORY_BYTES)
            )
            if text != self._memory_text:
                self._memory_text, self.memory_bytes = text, max(int(text), -1)
        except (OSError, ValueError):
            self._memory_text, self.memory_bytes = b"", -1

    def close(self, descriptors: Descriptors) -> None:
        """Close the cgroup's files."""
        descriptors.close(self._cpu_file)
        descriptors.close(self._memory_file)
        self._cpu_file = self._memory_file = -1


def _read(path: str, size: int) -> bytes:
    """Read a file that does not stay open."""
    file = os.open(path, os.O_RDONLY)
    try:
        return os.read(file, size)
    finally:
        os.close(file)
