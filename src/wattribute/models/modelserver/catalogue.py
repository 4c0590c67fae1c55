"""The models that are served: the one that comes with Wattribute, and those in a folder."""

from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Final

from wattribute.core.errors import ConfigInvalid
from wattribute.core.records import Machine
from wattribute.models.modelserver.watched_folder import ServedFile, WatchedFolder, served_file
from wattribute.models.modelserver.weights import WEIGHTS_ENDING
from wattribute.node.estimates.power_model import SHIPPED
from wattribute.node.estimator.artefact import KNOWN, MAX_BYTES, Artefact, decode
from wattribute.node.estimator.cpu_names import base_key
from wattribute.node.estimator.identity import identify

_RECORDED: Final = "recorded"
_RECORDED_KIND: Final = "recorded microarchitecture"
RANKS: Final = (_RECORDED, _RECORDED_KIND, *KNOWN)
"""How well a model may know a machine, best first."""


ServedModel = ServedFile[Artefact]
"""A model that is served."""


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
    """The models of a folder, and the one that comes with Wattribute."""

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
        self._shipped = served_file("shipped", shipped, decode(shipped, name="shipped"))
        self._folder = WatchedFolder(folder, _is_model, _decoded, MAX_BYTES)

    @property
    def refused(self) -> int:
        """The number of files in the folder that are not valid artefacts."""
        return self._folder.refused

    def entries(self) -> tuple[ServedModel, ...]:
        """Return all models, the newest first. The one that comes with Wattribute is last."""
        return (*self._folder.files(), self._shipped)

    def by_digest(self, digest: str) -> ServedModel | None:
        """Return the model with this SHA-256; None if there is none."""
        return next((entry for entry in self.entries() if entry.digest == digest), None)

    def ranked(self, machine: Machine) -> list[Match]:
        """Return how well each model knows a machine: best first, of equals the newest first."""
        matches = [_match(entry, machine) for entry in self.entries()]
        return sorted(matches, key=lambda match: RANKS.index(match.basis))


def _is_model(name: str) -> bool:
    return name.endswith(".json") and not name.endswith(WEIGHTS_ENDING)


def _decoded(data: bytes, name: str) -> Artefact:
    return decode(data, name=name)


def _match(entry: ServedModel, machine: Machine) -> Match:
    artefact = entry.content
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
