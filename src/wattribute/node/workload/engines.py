"""Read container names from the state files of Docker and Podman on this machine."""

import logging
import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from wattribute.core.records import Workload
from wattribute.node.findings import SourceFinding
from wattribute.node.workload.image import image_digest

_LOG = logging.getLogger(__name__)

DOCKER: Final = Path("/var/lib/docker/containers")
PODMAN: Final = Path("/var/lib/containers/storage")

_ID: Final = re.compile(r"[0-9a-f]{64}")
_ASK_AGAIN_S: Final = (1.0, 5.0, 30.0, 300.0)
"""Pauses before the next look for the name of the same container. An engine writes the name before
it starts the container, so the first look usually finds it."""
_FORGET_S: Final = 900.0
"""A container that was not looked up for this long is forgotten."""
_LARGEST: Final = 64 << 20
"""A larger file is not read, because no state file is that large."""


class _DockerConfig(msgspec.Struct):
    """The part of ``config.v2.json`` that is read."""

    name: str = msgspec.field(name="Name", default="")
    """The container's name, after a slash."""
    image: str = msgspec.field(name="Image", default="")
    """``sha256:DIGITS``."""


class _PodmanContainer(msgspec.Struct):
    """One entry of ``DRIVER-containers/containers.json``."""

    id: str
    names: list[str] | None = None
    image: str = ""
    """The image's id: the digits of a digest."""


class DockerNames:
    """Reads Docker's names from one file per container, ``CONTAINERS/ID/config.v2.json``."""

    name = "docker"

    def __init__(self, folder: Path) -> None:
        """Read below ``folder``, Docker's folder ``containers``."""
        self.folder = folder

    def describe(self, container_ids: Iterable[str]) -> dict[str, Workload]:
        """Return name and image of the containers that Docker knows.

        Raises:
            PermissionError: this process may not read the state files.
        """
        workloads = {}
        for container_id in container_ids:
            path = self.folder / container_id / "config.v2.json"
            try:
                config = msgspec.json.decode(_bytes_of(path), type=_DockerConfig)
            except PermissionError:
                raise
            except (OSError, ValueError):
                continue
            if name := config.name.strip("/"):
                workloads[container_id] = Workload(container=name, image=image_digest(config.image))
        return workloads


class PodmanNames:
    """Reads Podman's names from ``STORAGE/DRIVER-containers/[volatile-]containers.json``.

    Each of these files lists all containers.
    """

    name = "podman"

    def __init__(self, folder: Path) -> None:
        """Read below ``folder``, Podman's graph root."""
        self.folder = folder
        self._read: dict[Path, tuple[int, dict[str, Workload]]] = {}

    def describe(self, container_ids: Iterable[str]) -> dict[str, Workload]:
        """Return name and image of the containers that Podman knows.

        Raises:
            PermissionError: this process may not read the state files.
        """
        by_id: dict[str, Workload] = {}
        for path in self.folder.glob("*-containers/*containers.json"):
            try:
                by_id |= self._containers_in(path)
            except PermissionError:
                raise
            except (OSError, ValueError):
                continue
        return {i: by_id[i] for i in container_ids if i in by_id}

    def _containers_in(self, path: Path) -> dict[str, Workload]:
        """Return the containers in a file, which is read again only if it has changed."""
        changed_ns = path.stat().st_mtime_ns
        before = self._read.get(path)
        if before is not None and before[0] == changed_ns:
            return before[1]
        containers = msgspec.json.decode(_bytes_of(path), type=list[_PodmanContainer])
        workloads = {
            c.id: Workload(container=c.names[0], image=image_digest(c.image))
            for c in containers
            if c.names
        }
        self._read[path] = (changed_ns, workloads)
        return workloads


@dataclass(slots=True)
class _Asked:
    """A container whose name was looked up."""

    last_s: float
    """Time of the last lookup."""
    workload: Workload | None = None
    looks: int = 0
    next_s: float = 0.0


class EngineNames:
    """Container names, read by a separate thread, so that ``lookup`` never waits for a disk."""

    name = "engines"

    def __init__(
        self,
        engines: Iterable[DockerNames | PodmanNames],
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start the thread that reads the state files of ``engines``."""
        self._engines = list(engines)
        self._clock_s = clock_s
        self._asked: dict[str, _Asked] = {}
        self._lock = threading.Lock()
        self._wanted = threading.Event()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="engine-names", daemon=True)
        self._thread.start()

    def lookup(self, container_ids: Iterable[str]) -> Mapping[str, Workload]:
        """Return what is known now about these containers; the thread looks for the others."""
        now_s = self._clock_s()
        workloads = {}
        with self._lock:
            for container_id in container_ids:
                entry = self._asked.get(container_id)
                if entry is None:
                    if not _ID.fullmatch(container_id):
                        continue
                    entry = self._asked[container_id] = _Asked(now_s)
                entry.last_s = now_s
                if entry.workload is not None:
                    workloads[container_id] = entry.workload
                elif entry.next_s <= now_s:
                    self._wanted.set()
        return workloads

    def close(self) -> None:
        """Stop the thread that reads the state files."""
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
        """Read the names that are due; the thread calls this."""
        now_s = self._clock_s()
        with self._lock:
            old = [i for i, entry in self._asked.items() if now_s - entry.last_s > _FORGET_S]
            for container_id in old:
                del self._asked[container_id]
            due = [i for i, a in self._asked.items() if a.workload is None and a.next_s <= now_s]
        if not due:
            return
        workloads: dict[str, Workload] = {}
        for engine in tuple(self._engines):
            try:
                workloads |= engine.describe(due)
            except PermissionError as exc:
                _LOG.warning(
                    "container names of %s are not available: %s", engine.name, _denied(exc)
                )
                self._engines.remove(engine)
        with self._lock:
            for container_id in due:
                entry = self._asked.get(container_id)
                if entry is None:
                    continue
                entry.workload = workloads.get(container_id)
                entry.next_s = now_s + _ASK_AGAIN_S[min(entry.looks, len(_ASK_AGAIN_S) - 1)]
                entry.looks += 1


def open_engines(
    docker: Path = DOCKER, podman: Path = PODMAN
) -> tuple[EngineNames | None, tuple[SourceFinding, ...]]:
    """Open the engines whose state files can be read, and report on each engine.

    Returns:
        The names, or None if no engine can be read; and one finding per engine.
    """
    usable: list[DockerNames | PodmanNames] = []
    findings = []
    for engine in (DockerNames(docker), PodmanNames(podman)):
        try:
            next(engine.folder.iterdir(), None)
        except PermissionError as exc:
            findings.append(SourceFinding("identity", engine.name, "denied", _denied(exc)))
        except OSError as exc:
            findings.append(
                SourceFinding(
                    "identity",
                    engine.name,
                    "absent",
                    f"cannot read {engine.folder}: {exc.strerror}",
                )
            )
        else:
            usable.append(engine)
            findings.append(SourceFinding("identity", engine.name, "works", ""))
    return (EngineNames(usable) if usable else None), tuple(findings)


def _denied(error: PermissionError) -> str:
    return (
        f"permission denied to read {error.filename}; to show container names, run as root or with"
        " CAP_DAC_READ_SEARCH"
    )


def _bytes_of(path: Path) -> bytes:
    with path.open("rb") as file:
        text = file.read(_LARGEST + 1)
    if len(text) > _LARGEST:
        raise ValueError(f"{path}: larger than {_LARGEST} bytes")
    return text
