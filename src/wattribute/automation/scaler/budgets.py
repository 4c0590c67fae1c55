"""What carbon budgets have spent today, kept over a restart: else each one would begin anew."""

import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from wattribute.core.files import write_whole

_LOG: Final = logging.getLogger(__name__)
_EVERY_S: Final = 30.0


class Budgets:
    """One JSON file: ``{"namespace/name": [day, grams]}``."""

    def __init__(self, path: str) -> None:
        """``path``: "" keeps them in memory alone. A file that cannot be read counts as empty."""
        self._path = Path(path) if path else None
        self._kept: dict[str, tuple[int, float]] = {}
        self._saved_s = 0.0
        if self._path is not None and self._path.exists():
            try:
                self._kept = msgspec.json.decode(
                    self._path.read_bytes(), type=dict[str, tuple[int, float]]
                )
            except (OSError, msgspec.DecodeError) as exc:
                _LOG.warning("%s: cannot be read: %s; budgets begin anew", self._path, exc)

    def of(self, label: str) -> tuple[int, float]:
        """Day (since 1970) and grams spent on it."""
        return self._kept.get(label, (0, 0.0))

    def save(self, spent: Mapping[str, tuple[int, float]], *, force: bool = False) -> None:
        """Write what changed, every half minute at most."""
        now_s = time.monotonic()
        if self._path is None:  # a trigger whose metadata change is a new one, with the old budget
            self._kept.update(spent)
            return
        if now_s - self._saved_s < _EVERY_S and not force:
            return
        self._saved_s = now_s
        merged = {**self._kept, **spent}
        today = int(time.time() // 86_400)
        merged = {label: one for label, one in merged.items() if one[0] >= today - 1}
        if merged == self._kept:
            return
        self._kept = merged
        try:
            write_whole(self._path, msgspec.json.encode(merged))
        except OSError as exc:
            _LOG.warning("%s: cannot be written: %s", self._path, exc.strerror)
