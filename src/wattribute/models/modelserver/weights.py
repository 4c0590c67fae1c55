"""Pooled weights that are served: the documents ``*.weights.json`` beside the models."""

from pathlib import Path
from typing import Any, Final

from wattribute.core.records import MAX_WEIGHTS_BYTES, PooledWeights, decode_weights
from wattribute.models.modelserver.watched_folder import ServedFile, WatchedFolder
from wattribute.node.estimator.cpu_names import base_key

WEIGHTS_ENDING: Final = ".weights.json"
ServedWeights = ServedFile[PooledWeights]


class WeightCatalogue:
    """The documents of a folder."""

    def __init__(self, models: Path | None) -> None:
        """Read all documents.

        Args:
            models: The folder with models; None serves none.
        """
        self._folder = WatchedFolder(models, _is_document, decode_weights, MAX_WEIGHTS_BYTES)

    @property
    def refused(self) -> int:
        """The number of files in the folder that are not pooled weights."""
        return self._folder.refused

    def entries(self) -> tuple[ServedWeights, ...]:
        """Return all documents, the newest first."""
        return self._folder.files()

    def by_digest(self, digest: str) -> ServedWeights | None:
        """Return the document with this SHA-256; None if there is none."""
        return next((entry for entry in self.entries() if entry.digest == digest), None)

    def of_cpu(self, key: str) -> ServedWeights | None:
        """Return the newest document of a CPU model; None if there is none."""
        if not key:
            return None
        same_cpu = (e for e in self.entries() if base_key(e.content.cpu) == base_key(key))
        return next(same_cpu, None)


def _is_document(name: str) -> bool:
    return name.endswith(WEIGHTS_ENDING)


def about(entry: ServedWeights) -> dict[str, Any]:
    """Describe a document, without its workloads."""
    return {
        "name": entry.name,
        "cpu": entry.content.cpu,
        "method": entry.content.method,
        "written_at": entry.content.written_at,
        "workloads": {kind: len(rows) for kind, rows in entry.content.zones.items()},
        "sha256": entry.digest,
        "bytes": len(entry.data),
        "signed": bool(entry.signature),
    }
