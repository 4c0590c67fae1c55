"""The files of a spool: lines that are appended whole or not at all, and the note of the open hour.

On a full disk lines wait in memory until there is room again.
"""

import logging
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from wattribute.core.files import write_whole
from wattribute.core.records import ModeEnergy, NodeHour, NodeTotals
from wattribute.node.exporter.spool.baseline import NodeAmounts

_LOG = logging.getLogger(__name__)

_NOTE: Final = "open.json"
_WAITING_MOST: Final = 168
"""Hours that wait in memory while the disk is full: a week."""


class SpoolLine(NodeHour, kw_only=True):
    """An hour as a line of a spool."""

    schema: int
    id: str
    """The same for the open hour and the line that it becomes, and for no other."""


class _Note(msgspec.Struct):
    """The file of the open hour."""

    line: SpoolLine
    node_uj: list[ModeEnergy]
    unattributed_uj: list[int]
    """Totals, not rises: the next run goes on from them if its totals go on."""


class _Head(msgspec.Struct):
    """What tells a line from all others."""

    id: str


class SpoolFolder:
    """The folder of one agent."""

    def __init__(self, path: Path, max_bytes: int) -> None:
        """Make the folder, if it is not there.

        Raises:
            OSError: it cannot be made.
        """
        self._path = path
        self._max_bytes = max_bytes
        self._waiting: list[tuple[Path, bytes]] = []
        """Lines that are not on disk yet, each with its file."""
        self._problem = ""
        path.mkdir(parents=True, exist_ok=True)

    @property
    def waits(self) -> bool:
        """Whether lines wait for room on the disk."""
        return bool(self._waiting)

    def close_open_hour(self) -> NodeAmounts | None:
        """Make a line of the hour that another run has left open.

        Returns:
            The node's totals when the note was written; None: there was no open hour.
        """
        try:
            note = msgspec.json.decode((self._path / _NOTE).read_bytes(), type=_Note)
        except FileNotFoundError:
            return None
        except msgspec.DecodeError as exc:
            _LOG.warning("spool: %s: no open hour: %s", self._path / _NOTE, exc)
            return None
        if _last_id(self._file_of(note.line.hour_s)) == note.line.id:
            return None  # killed between the line and the next note
        self.append(note.line)
        self.remove_note()
        return NodeAmounts(note.node_uj, note.unattributed_uj)

    def append(self, line: SpoolLine) -> None:
        """Write a line; on a full disk it waits."""
        self._waiting.append((self._file_of(line.hour_s), msgspec.json.encode(line) + b"\n"))
        self.flush()
        if len(self._waiting) > _WAITING_MOST:
            _LOG.warning("spool: an hour is lost: %d wait already", _WAITING_MOST)
            self._waiting.pop(0)

    def flush(self) -> bool:
        """Write the lines that wait; False where the disk does not take them."""
        while self._waiting:
            file, line = self._waiting[0]
            try:
                self._make_room(len(line))
                _append_line(file, line)
            except OSError as exc:
                self._say(str(exc))
                return False
            self._waiting.pop(0)
        return True

    def note(self, line: SpoolLine, totals: NodeTotals) -> None:
        """Write the open hour, and the node's totals, for a run that comes after a kill."""
        amounts = NodeAmounts.from_totals(totals)
        content = msgspec.json.encode(_Note(line, amounts.energy_uj, amounts.unattributed_uj))
        try:
            write_whole(self._path / _NOTE, content)
        except OSError as exc:
            self._say(str(exc))
        else:
            self._problem = ""

    def remove_note(self) -> None:
        """Remove the note: the hour that it is about has a line."""
        (self._path / _NOTE).unlink(missing_ok=True)

    def _file_of(self, hour_s: int) -> Path:
        return self._path / f"{datetime.fromtimestamp(hour_s, UTC):%Y-%m-%d}.jsonl"

    def _say(self, problem: str) -> None:
        """Log a problem, unless there was one before and all has not been well since."""
        if not self._problem:
            _LOG.warning("spool: %s; lines wait in memory until there is room", problem)
        self._problem = problem

    def _make_room(self, needed: int) -> None:
        """Remove the oldest days while all of them are larger than may be."""
        days = sorted(self._path.glob("*.jsonl"))
        sizes = [day.stat().st_size for day in days]
        while len(days) > 1 and sum(sizes) + needed > self._max_bytes:
            _LOG.warning("spool: full: %s is removed, the oldest day", days[0])
            days.pop(0).unlink()
            sizes.pop(0)


def _last_id(path: Path) -> str:
    """Return the id of a file's last line; "" where there is none, or it was cut off."""
    try:
        return msgspec.json.decode(path.read_bytes().splitlines()[-1], type=_Head).id
    except (OSError, IndexError, msgspec.DecodeError):
        return ""


def _append_line(path: Path, line: bytes) -> None:
    """Append and flush to disk, on a line of its own even after one that was cut off.

    Raises:
        OSError: the disk has not taken the whole line; the file is as it was.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
    try:
        size = os.fstat(descriptor).st_size
        if size and os.pread(descriptor, 1, size - 1) != b"\n":
            line = b"\n" + line
        size_written = os.write(descriptor, line)
        if size_written < len(line):
            os.ftruncate(descriptor, size)
            raise OSError(28, "no space left on device", str(path))
        os.fdatasync(descriptor)
    finally:
        os.close(descriptor)
