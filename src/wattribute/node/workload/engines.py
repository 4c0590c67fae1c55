"""Names of containers from the state files of docker and podman on this machine."""

import logging
import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import msgspec

from wattribute.core.records import Workload

_LOG = logging.getLogger(__name__)

DOCKER: Final = Path("/var/lib/docker/containers")
PODMAN: Final = Path("/var/lib/containers/storage")

_ID: Final = re.compile(r"[0-9a-f]{64}")
_ASK_AGAIN_S: Final = (1.0, 5.0, 30.0, 300.0)
"""When a container without a name is looked for again: an engine writes the name before the
container runs, so the first look finds it as a rule."""
_FORGET_S: Final = 900.0
"""A container that nobody asked for this long is forgotten."""
_LARGEST: Final = 64 << 20
"""A state file that is larger is no state file."""

State = Literal["works", "absent", "denied"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found of one engine."""

    name: str
    state: State
    message: str
    """What is wrong and what would fix it, one line; "" when there is nothing to say."""


class _DockerConfig(msgspec.Struct):
    """``config.v2.json``; the rest of it is not read."""

    name: str = msgspec.field(name="Name", default="")
    """With a slash before it."""


class _PodmanContainer(msgspec.Struct):
    """One of ``DRIVER-containers/containers.json``."""

    id: str
    names: list[str] | None = None


class DockerNames:
    """``CONTAINERS/ID/config.v2.json``: one file per container."""

    name = "docker"

    def __init__(self, folder: Path) -> None:
        """``folder``: docker's ``containers``."""
        self.folder = folder

    def names(self, container_ids: Iterable[str]) -> dict[str, str]:
        """Names of those that docker knows.

        Raises:
            PermissionError: they are not for us to read.
        """
        found = {}
        for container_id in container_ids:
            path = self.folder / container_id / "config.v2.json"
            try:
                config = msgspec.json.decode(_bytes_of(path), type=_DockerConfig)
            except PermissionError:
                raise
            except (OSError, ValueError):
                continue
            if config.name.strip("/"):
                found[container_id] = config.name.strip("/")
        return found


class PodmanNames:
    """``STORAGE/DRIVER-containers/containers.json`` (and ``volatile-``): one file for all."""

    name = "podman"

    def __init__(self, folder: Path) -> None:
        """``folder``: podman's graph root."""
        self.folder = folder
        self._read: dict[Path, tuple[int, dict[str, str]]] = {}

    def names(self, container_ids: Iterable[str]) -> dict[str, str]:
        """Names of those that podman knows.

        Raises:
            PermissionError: they are not for us to read.
        """
        known: dict[str, str] = {}
        for path in self.folder.glob("*-containers/*containers.json"):
            try:
                known |= self._names_in(path)
            except PermissionError:
                raise
            except (OSError, ValueError):
                continue
        return {i: known[i] for i in container_ids if i in known}

    def _names_in(self, path: Path) -> dict[str, str]:
        """Read the file if it has changed."""
        changed_ns = path.stat().st_mtime_ns
        before = self._read.get(path)
        if before is not None and before[0] == changed_ns:
            return before[1]
        containers = msgspec.json.decode(_bytes_of(path), type=list[_PodmanContainer])
        names = {c.id: c.names[0] for c in containers if c.names}
        self._read[path] = (changed_ns, names)
        return names


@dataclass(slots=True)
class _Asked:
    """A container whose name is wanted."""

    last_s: float
    """When it was asked for last."""
    workload: Workload | None = None
    looks: int = 0
    next_s: float = 0.0


class EngineNames:
    """Names of containers, read by a thread of its own: ``lookup`` never waits for a disk."""

    name = "engines"

    def __init__(
        self,
        engines: Iterable[DockerNames | PodmanNames],
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start the thread."""
        self._engines = list(engines)
        self._clock_s = clock_s
        self._asked: dict[str, _Asked] = {}
        self._lock = threading.Lock()
        self._wanted = threading.Event()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="engine-names", daemon=True)
        self._thread.start()

    def lookup(self, container_ids: Iterable[str]) -> Mapping[str, Workload]:
        """What is known now of these containers; the others are looked for."""
        now_s = self._clock_s()
        found = {}
        with self._lock:
            for container_id in container_ids:
                asked = self._asked.get(container_id)
                if asked is None:
                    if not _ID.fullmatch(container_id):
                        continue
                    asked = self._asked[container_id] = _Asked(now_s)
                asked.last_s = now_s
                if asked.workload is not None:
                    found[container_id] = asked.workload
                elif asked.next_s <= now_s:
                    self._wanted.set()
        return found

    def close(self) -> None:
        """Stop the thread."""
        self._closed = True
        self._wanted.set()
        self._thread.join(timeout=1.0)

    def _work(self) -> None:
        while not self._closed:
            self._wanted.wait()
            self._wanted.clear()
            if not self._closed:
                self.look()

    def look(self) -> None:
        """Look for the names that are due; the thread's work."""
        now_s = self._clock_s()
        with self._lock:
            old = [i for i, asked in self._asked.items() if now_s - asked.last_s > _FORGET_S]
            for container_id in old:
                del self._asked[container_id]
            due = [i for i, a in self._asked.items() if a.workload is None and a.next_s <= now_s]
        if not due:
            return
        names: dict[str, str] = {}
        for engine in tuple(self._engines):
            try:
                names |= engine.names(due)
            except PermissionError as exc:
                _LOG.warning("container names of %s: %s", engine.name, _denied(exc))
                self._engines.remove(engine)
        with self._lock:
            for container_id in due:
                asked = self._asked.get(container_id)
                if asked is None:
                    continue
                if container_id in names:
                    asked.workload = Workload(container=names[container_id])
                asked.next_s = now_s + _ASK_AGAIN_S[min(asked.looks, len(_ASK_AGAIN_S) - 1)]
                asked.looks += 1


def open_engines(
    docker: Path = DOCKER, podman: Path = PODMAN
) -> tuple[EngineNames | None, tuple[Finding, ...]]:
    """The engines whose state can be read, and what was found of each.

    Returns:
        None for the first where there is no engine.
    """
    usable: list[DockerNames | PodmanNames] = []
    findings = []
    for engine in (DockerNames(docker), PodmanNames(podman)):
        try:
            next(engine.folder.iterdir(), None)
        except PermissionError as exc:
            findings.append(Finding(engine.name, "denied", _denied(exc)))
        except OSError as exc:
            findings.append(Finding(engine.name, "absent", f"{engine.folder}: {exc.strerror}"))
        else:
            usable.append(engine)
            findings.append(Finding(engine.name, "works", ""))
    return (EngineNames(usable) if usable else None), tuple(findings)


def _denied(error: PermissionError) -> str:
    return f"{error.filename}: permission denied; container names need root or CAP_DAC_READ_SEARCH"


def _bytes_of(path: Path) -> bytes:
    with path.open("rb") as file:
        text = file.read(_LARGEST + 1)
    if len(text) > _LARGEST:
        raise ValueError(f"{path}: over {_LARGEST} bytes")
    return text
