"""A folder of signed files that is read again every few seconds: what a model server passes on."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final, Generic, TypeVar

from wattribute.core.errors import DataInvalid, ModelInvalid

T = TypeVar("T")

_LOG: Final = logging.getLogger(__name__)
_LOOK_S: Final = 5.0
"""Seconds between two looks into the folder."""
_SIGNATURE_BYTES: Final = 64


@dataclass(frozen=True, slots=True)
class ServedFile(Generic[T]):
    """A file that is served."""

    name: str
    """The name of the file."""
    data: bytes
    digest: str
    """The SHA-256 of ``data``."""
    content: T
    """What ``data`` means."""
    signature: bytes
    """The Ed25519 signature of ``data``, from the file ``NAME.sig`` beside it; empty if none."""
    stamp: tuple[int, ...]
    """The time and size of its files. If they differ, the files are read again."""


def served_file(
    name: str, data: bytes, content: T, signature: bytes = b"", stamp: tuple[int, ...] = (0,)
) -> ServedFile[T]:
    """Return a file with its digest."""
    return ServedFile(name, data, sha256(data).hexdigest(), content, signature, stamp)


class WatchedFolder(Generic[T]):
    """Some files of a folder. While one is not valid, its last good content is served."""

    def __init__(
        self,
        folder: Path | None,
        is_one: Callable[[str], bool],
        decode: Callable[[bytes, str], T],
        max_bytes: int,
    ) -> None:
        """Read all files.

        Args:
            folder: where they are; None has none.
            is_one: whether a file with this name is one of them.
            decode: from bytes and a name for messages to the content; raises ModelInvalid or
                DataInvalid.
            max_bytes: of a file; ``decode`` gets one byte more of a larger one, and refuses it.
        """
        self._folder, self._is_one = folder, is_one
        self._decode, self._max_bytes = decode, max_bytes
        self._lock = threading.Lock()
        self._files: dict[str, ServedFile[T]] = {}
        self._refused: dict[str, tuple[int, ...]] = {}
        self._looked_s = float("-inf")
        self.files()

    @property
    def refused(self) -> int:
        """The number of files in the folder that are not valid."""
        return len(self._refused)

    def files(self) -> tuple[ServedFile[T], ...]:
        """Return all files, the newest first."""
        with self._lock:
            if self._folder is not None and time.monotonic() - self._looked_s >= _LOOK_S:
                self._looked_s = time.monotonic()
                self._look(self._folder)
            newest = sorted(self._files.values(), key=lambda f: (f.stamp, f.name), reverse=True)
            return tuple(newest)

    def _look(self, folder: Path) -> None:
        try:
            paths = sorted(path for path in folder.iterdir() if self._is_one(path.name))
        except OSError as exc:
            _LOG.error("%s: %s; the files from before stay", folder, exc.strerror)
            return
        names = {path.name for path in paths}
        self._files = {name: file for name, file in self._files.items() if name in names}
        self._refused = {name: stamp for name, stamp in self._refused.items() if name in names}
        for path in paths:
            signed = path.with_name(path.name + ".sig")
            stamp = _stamp(path) + _stamp(signed)
            before = self._files.get(path.name)
            if (before and before.stamp == stamp) or self._refused.get(path.name) == stamp:
                continue
            try:
                with path.open("rb") as file:
                    data = file.read(self._max_bytes + 1)
                signature = _signature(signed)
                content = self._decode(data, path.name)
                self._files[path.name] = served_file(path.name, data, content, signature, stamp)
                self._refused.pop(path.name, None)
            except (OSError, ModelInvalid, DataInvalid) as exc:
                self._refused[path.name] = stamp
                served = "as it was before" if path.name in self._files else "not at all"
                _LOG.error("%s: served %s: %s", path, served, exc)


def _signature(path: Path) -> bytes:
    if not path.exists():
        return b""
    signature = path.read_bytes()
    if len(signature) != _SIGNATURE_BYTES:
        raise ModelInvalid(f"{path.name}: not an Ed25519 signature of {_SIGNATURE_BYTES} bytes")
    return signature


def _stamp(path: Path) -> tuple[int, ...]:
    try:
        status = path.stat()
    except OSError:
        return (0, 0, 0)
    return (status.st_mtime_ns, status.st_size, status.st_ino)
