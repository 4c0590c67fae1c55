"""Keep what carbon budgets spent today over a restart; else each budget would start again."""

import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from wattribute.core.files import write_whole
from wattribute.core.units import DAY_S

_LOG: Final = logging.getLogger(__name__)
_EVERY_S: Final = 30.0


class Budgets:
    """The spent grams in a JSON file: ``{"namespace/name": [day, grams]}``."""

    def __init__(self, path: str) -> None:
        """Read the file ``path``; "" keeps the grams in memory only.

        A file that cannot be read counts as empty, with a warning.
        """
        self._path = Path(path) if path else None
        self._kept: dict[str, tuple[int, float]] = {}
        self._saved_s = 0.0
        if self._path is not None and self._path.exists():
            try:
                self._kept = msgspec.json.decode(
                    self._path.read_bytes(), type=dict[str, tuple[int, float]]
                )
            except (OSError, msgspec.DecodeError) as exc:
                _LOG.warning(
                    "%s: cannot be read: %s; carbon budgets start again at 0 g", self._path, exc
                )

    def spending_of(self, label: str) -> tuple[int, float]:
        """Return a trigger's last day (since 1970) with spending, and the grams of that day."""
        return self._kept.get(label, (0, 0.0))

    def save(self, spending: Mapping[str, tuple[int, float]], *, force: bool = False) -> None:
        """Write changed budgets to the file, at most every 30 s unless ``force``."""
        now_s = time.monotonic()
        if self._path is None:  # a trigger with changed metadata is new, but keeps its budget
            self._kept.update(spending)
            return
        if now_s - self._saved_s < _EVERY_S and not force:
            return
        self._saved_s = now_s
        merged = {**self._kept, **spending}
        today = int(time.time() // DAY_S)
        merged = {label: entry for label, entry in merged.items() if entry[0] >= today - 1}
        if merged == self._kept:
            return
        self._kept = merged
        try:
            write_whole(self._path, msgspec.json.encode(merged))
        except OSError as exc:
            _LOG.warning(
                "%s: cannot be written: %s; carbon budgets will not survive a restart",
                self._path,
                exc.strerror,
            )
