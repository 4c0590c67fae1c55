"""Keeps posted recordings until a person accepts them. No other program reads them."""

import os
import threading
from hashlib import sha256
from pathlib import Path
from typing import Final, Literal

from wattribute.core.errors import ConfigInvalid
from wattribute.core.files import write_whole
from wattribute.node.estimator.power_recording import QUARANTINE, decode_recording

_EXPLAINED: Final = """\
Recordings that were posted to the model server. Anybody with the token may have made them up.
Look at them, and take those that you trust:
  wattribute model train --recordings THIS_FOLDER --out power-model.json
  wattribute model train --recordings THIS_FOLDER --accept SHA256 --out power-model.json
"""


class Quarantine:
    """A folder for recordings, with a limit on their number."""

    def __init__(self, folder: Path, most: int) -> None:
        """Mark the folder, and create it if necessary.

        Args:
            folder: The folder for recordings.
            most: The largest number of recordings; more are refused.

        Raises:
            ConfigInvalid: The folder cannot be written.
        """
        self._folder, self._most = folder, most
        self._lock = threading.Lock()
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            (folder / QUARANTINE).write_text(_EXPLAINED, encoding="utf-8")
        except OSError as exc:
            raise ConfigInvalid(f"--quarantine {folder}: {exc.strerror}") from exc

    def count(self) -> int:
        """Return the number of recordings in the folder."""
        with os.scandir(self._folder) as entries:
            return sum(entry.name.endswith(".json") for entry in entries)

    def put(self, data: bytes) -> tuple[Literal["new", "known", "full"], str]:
        """Store a recording under its digest, so that clients cannot choose or overwrite a file.

        Returns:
            Whether it is new, already known, or refused because the folder is full; and its
            SHA-256.

        Raises:
            DataInvalid: The data are not a recording.
            OSError: The file cannot be written.
        """
        decode_recording(data)
        digest = sha256(data).hexdigest()
        path = self._folder / f"{digest}.json"
        with self._lock:
            if path.exists():
                return "known", digest
            if self.count() >= self._most:
                return "full", digest
            write_whole(path, data)
        return "new", digest
