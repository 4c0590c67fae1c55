"""Recordings in a folder: an operator's own, or those that a model server holds in quarantine."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from wattribute.core.errors import DataInvalid
from wattribute.node.estimator.power_recording import (
    MAX_BYTES,
    QUARANTINE,
    Recording,
    decode_recording,
)

ALL: Final = "all"


@dataclass(frozen=True, slots=True)
class Read:
    """One recording and where it came from."""

    name: str
    digest: str
    """SHA-256 of the file's bytes."""
    recording: Recording


@dataclass(frozen=True, slots=True)
class RecordingFolder:
    """What a folder holds."""

    taken: tuple[Read, ...]
    waiting: tuple[Read, ...]
    """In quarantine, and not accepted."""
    broken: tuple[str, ...]
    """One line for each file that is no recording."""


def read_recordings(folder: Path, accept: Sequence[str] = ()) -> RecordingFolder:
    """Read all ``*.json`` files of a folder, each content once.

    Args:
        folder: of recordings.
        accept: begins of digests, or ``all``: which of a quarantine are taken. Elsewhere all are.

    Raises:
        DataInvalid: there is no such folder, or ``accept`` names what is not there.
    """
    try:
        files = sorted(path for path in folder.iterdir() if path.suffix == ".json")
    except OSError as exc:
        raise DataInvalid(f"{folder}: {exc.strerror}") from exc
    by_digest: dict[str, Read] = {}
    broken = []
    for path in files:
        try:
            with path.open("rb") as file:
                data = file.read(MAX_BYTES + 1)
            recording = decode_recording(data, path.name)
        except OSError as exc:
            broken.append(f"{path.name}: {exc.strerror}")
        except DataInvalid as exc:
            broken.append(str(exc))
        else:
            digest = sha256(data).hexdigest()
            by_digest.setdefault(digest, Read(path.name, digest, recording))
    for digest_prefix in accept:
        if (
            digest_prefix != ALL
            and sum(d.startswith(digest_prefix.lower()) for d in by_digest) != 1
        ):
            raise DataInvalid(
                f"{folder}: not one recording whose SHA-256 begins with {digest_prefix!r}"
            )
    everything = ALL in accept or not (folder / QUARANTINE).exists()
    prefixes = tuple(text.lower() for text in accept if text != ALL)
    taken = tuple(
        r for r in by_digest.values() if everything or r.digest.startswith(prefixes or ("-",))
    )
    waiting = tuple(r for r in by_digest.values() if r not in taken)
    return RecordingFolder(taken, waiting, tuple(broken))
