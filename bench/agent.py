"""The agent as a user runs it: a process of its own, read through its HTTP API."""

import atexit
import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Self

_START_S = 15.0
_SOURCES = str(Path(__file__).resolve().parent.parent / "src")


class AgentFailed(Exception):  # noqa: N818 - a state, as in wattribute.core.errors
    """The agent did not start, or has died."""


@cache
def _bytecode_folder() -> str:
    """Where all agents of this run find each other's compiled modules, as an installed one does."""
    folder = tempfile.mkdtemp(prefix="wattribute-bench-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


class Agent:
    """``python -m wattribute agent`` on a free port."""

    def __init__(
        self, *flags: str, processes: bool = False, settings: Mapping[str, str] | None = None
    ) -> None:
        """Start it.

        Args:
            flags: its own.
            processes: export one series per process.
            settings: more settings, by their names, as ``attribution.weight``.
        """
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port: int = probe.getsockname()[1]
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed by close()
        self.started_ns = time.monotonic_ns()
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "wattribute",
                "agent",
                f"--listen=127.0.0.1:{self.port}",
                *flags,
            ],
            env={k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
            | {
                "PYTHONPYCACHEPREFIX": _bytecode_folder(),
                "PYTHONPATH": _SOURCES,
                "WATTRIBUTE_EXPORTER__PROCESSES": str(processes).lower(),
            }
            | {_variable(name): value for name, value in (settings or {}).items()},
            stderr=self._log,
            stdout=self._log,
        )

    def __enter__(self) -> Self:
        """Itself, at once: ``wait`` waits."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the agent, and wait for its end."""
        self.close()

    def close(self) -> None:
        """SIGTERM, as systemd does, and wait."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._log.close()

    @property
    def pid(self) -> int:
        """Of the agent."""
        return self._process.pid

    def wait(self, sequence: int = 2) -> dict[str, Any]:
        """Wait for the snapshot of that number, and return it.

        Raises:
            AgentFailed: it ended, or none came in time.
        """
        deadline = time.monotonic() + _START_S
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
                snapshot = self.snapshot()
                if snapshot["sequence"] >= sequence:
                    return snapshot
            if self._process.poll() is not None:
                break
            time.sleep(0.02)
        raise AgentFailed(f"the agent gave no snapshot: {self.log()[-2000:]}")

    def get(self, path: str) -> bytes:
        """Body of an answer with status 200.

        Raises:
            OSError: it does not answer.
            ValueError: it answers something else.
        """
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        with contextlib.closing(connection):
            connection.request("GET", path)
            answer = connection.getresponse()
            body = answer.read()
        if answer.status != http.HTTPStatus.OK:
            raise ValueError(f"{path}: status {answer.status}")
        return body

    def snapshot(self) -> dict[str, Any]:
        """Return the body of ``/api/v1/snapshot``."""
        tree: dict[str, Any] = json.loads(self.get("/api/v1/snapshot"))
        return tree

    def snapshots(self, seconds: float) -> Iterator[dict[str, Any]]:
        """Every snapshot of some time, each once, as it is published."""
        end = time.monotonic() + seconds
        last = -1
        while time.monotonic() < end:
            snapshot = self.snapshot()
            if snapshot["sequence"] != last:
                last = snapshot["sequence"]
                yield snapshot
            time.sleep(0.1)

    def log(self) -> str:
        """What it has said."""
        self._log.seek(0)
        return self._log.read().decode(errors="replace")

    def cpu_ns(self) -> int:
        """CPU time of all its threads, those in the kernel for it included."""
        return thread_cpu_ns(self.pid)

    def rss_mib(self) -> float:
        """Resident memory now."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
        raise AgentFailed("the agent has ended")


def _variable(setting: str) -> str:
    return "WATTRIBUTE_" + setting.replace(".", "__").upper()


def thread_cpu_ns(pid: int) -> int:
    """CPU time of a process's live threads, in the scheduler's nanoseconds."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):
            total += int((task / "schedstat").read_text().split()[0])
    return total
