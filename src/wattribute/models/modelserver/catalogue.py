"""The models that are served: the one that comes with Wattribute, and those in a folder."""

import logging
import threading
import time
from dataclasses import dataclass
from hashlib import sha256
from importlib import resources
from pathlib import Path
from typing import Final

from wattribute.core.errors import ConfigInvalid, ModelInvalid
from wattribute.core.records import Machine
from wattribute.node.estimates.power_model import SHIPPED
from wattribute.node.estimator.artefact import KNOWN, MAX_BYTES, Artefact, decode
from wattribute.node.estimator.cpu_names import base_key
from wattribute.node.estimator.identity import identify

_LOG: Final = logging.getLogger(__name__)
_LOOK_S: Final = 5.0
"""Seconds between two looks into the folder."""
_SIGNATURE_BYTES: Final = 64
_RECORDED: Final = "recorded"
_RECORDED_KIND: Final = "recorded microarchitecture"
RANKS: Final = (_RECORDED, _RECORDED_KIND, *KNOWN)
"""How well a model may know a machine, best first."""


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A model that is served."""

    name: str
    """The name of its file."""
    data: bytes
    digest: str
    """The SHA-256 of ``data``."""
    artefact: Artefact
    signature: bytes
    """The Ed25519 signature of ``data``, from the file ``NAME.sig`` beside it; empty if none."""
    stamp: tuple[int, ...]
    """The time and size of its files. If they differ, the files are read again."""


@dataclass(frozen=True, slots=True)
class Match:
    """How well a model knows a machine."""

    entry: ServedModel
    basis: str
    """One of `RANKS`."""
    cpu: str
    microarchitecture: str
    why: tuple[str, ...]


class Catalogue:
    """The models of a folder, which is read again every few seconds.

    While a file is not valid, its last good content is served.
    """

    def __init__(self, folder: Path | None) -> None:
        """Read all models.

        Args:
            folder: The folder with artefacts (``*.json``); None serves only the model that comes
                with Wattribute.

        Raises:
            ConfigInvalid: There is no such folder.
        """
        if folder is not None and not folder.is_dir():
            raise ConfigInvalid(f"--models {folder}: no such folder")
        shipped = resources.files("wattribute.node.estimator").joinpath(SHIPPED).read_bytes()
        self._shipped = _model("shipped", shipped, b"", (0,))
        self._folder = folder
        self._lock = threading.Lock()
        self._models: dict[str, ServedModel] = {}
        self._refused: dict[str, tuple[int, ...]] = {}
        self._looked_s = float("-inf")
        self.entries()

    @property
    def refused(self) -> int:
        """The number of files in the folder that are not valid artefacts."""
        return len(self._refused)

    def entries(self) -> tuple[ServedModel, ...]:
        """Return all models, the newest first. The one that comes with Wattribute is last."""
        with self._lock:
            if self._folder is not None and time.monotonic() - self._looked_s >= _LOOK_S:
                self._looked_s = time.monotonic()
                self._look(self._folder)
            newest = sorted(self._models.values(), key=lambda e: (e.stamp, e.name), reverse=True)
            return (*newest, self._shipped)

    def by_digest(self, digest: str) -> ServedModel | None:
        """Return the model with this SHA-256; None if there is none."""
        return next((entry for entry in self.entries() if entry.digest == digest), None)

    def ranked(self, machine: Machine) -> list[Match]:
        """Return how well each model knows a machine: best first, of equals the newest first."""
        matches = [_match(entry, machine) for entry in self.entries()]
        return sorted(matches, key=lambda match: RANKS.index(match.basis))

    def _look(self, folder: Path) -> None:
        try:
            files = sorted(path for path in folder.iterdir() if path.suffix == ".json")
        except OSError as exc:
            _LOG.error("%s: %s; the models from before stay", folder, exc.strerror)
            return
        names = {path.name for path in files}
        self._models = {name: entry for name, entry in self._models.items() if name in names}
        self._refused = {name: stamp for name, stamp in self._refused.items() if name in names}
        for path in files:
            signed = path.with_name(path.name + ".sig")
            stamp = _stamp(path) + _stamp(signed)
            before = self._models.get(path.name)
            if (before and before.stamp == stamp) or self._refused.get(path.name) == stamp:
                continue
            try:
                with path.open("rb") as file:
                    data = file.read(MAX_BYTES + 1)
                signature = _signature(signed)
                self._models[path.name] = _model(path.name, data, signature, stamp)
                self._refused.pop(path.name, None)
            except (OSError, ModelInvalid) as exc:
                self._refused[path.name] = stamp
                served = "as it was before" if path.name in self._models else "not at all"
                _LOG.error("%s: served %s: %s", path, served, exc)


def _model(name: str, data: bytes, signature: bytes, stamp: tuple[int, ...]) -> ServedModel:
    return ServedModel(
        name, data, sha256(data).hexdigest(), decode(data, name=name), signature, stamp
    )


def _signature(path: Path) -> bytes:
    if not path.exists():
        return b""
    signature = path.read_bytes()
    if len(signature) != _SIGNATURE_BYTES:
        raise ModelInvalid(f"{path.name}: not an Ed25519 signature of {_SIGNATURE_BYTES} bytes")
    return signature


def _match(entry: ServedModel, machine: Machine) -> Match:
    artefact = entry.artefact
    host = identify(artefact, machine)
    basis = host.basis
    if basis == "cpu" and base_key(host.cpu_key) in artefact.coefficients.wall.cpu:
        basis = "seen"
    if artefact.fleet is not None:
        if base_key(host.cpu_key) in artefact.fleet.cpu:
            basis = _RECORDED
        elif host.microarchitecture in artefact.fleet.microarchitecture:
            basis = _RECORDED_KIND
    return Match(entry, basis, host.cpu_key, host.microarchitecture, host.why)


def _stamp(path: Path) -> tuple[int, ...]:
    try:
        status = path.stat()
    except OSError:
        return (0, 0, 0)
    return (status.st_mtime_ns, status.st_size, status.st_ino)
