"""Watch folders for created and removed subfolders with inotify(7).

mkdir(2) and rmdir(2) in a cgroup file system notify watchers as in any other
file system, because the kernel does so above the file systems (fs/namei.c).
"""

import ctypes
import os
import struct
from typing import Final

_MASK: Final = (
    0x100  # IN_CREATE
    | 0x200  # IN_DELETE
    | 0x40  # IN_MOVED_FROM
    | 0x80  # IN_MOVED_TO
    | 0x0100_0000  # IN_ONLYDIR
    | 0x0200_0000  # IN_DONT_FOLLOW
)
_ISDIR: Final = 0x4000_0000
_OVERFLOW: Final = 0x4000
_EVENT: Final = struct.Struct("iIII")
"""Head of an event: wd, mask, cookie, and the length of the name that follows."""
_READ_BYTES: Final = 1 << 16


class Watches:
    """The watched folders, by their inotify watch numbers."""

    def __init__(self) -> None:
        """Open the event queue; if that fails (limits, sandboxes), every ``add`` returns -1."""
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._file: int = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)

    def add(self, path: str) -> int:
        """Watch a folder.

        Returns:
            The watch's number; -1 if the folder cannot be watched (it is gone, or
            fs.inotify.max_user_watches is reached).
        """
        if self._file < 0:
            return -1
        number: int = self._libc.inotify_add_watch(self._file, os.fsencode(path), _MASK)
        return number

    def changed(self) -> tuple[set[int], bool]:
        """Return the changes since the last call.

        Returns:
            Watch numbers of the folders with new or removed subfolders, and whether
            events were lost, so that any folder may have changed.
        """
        numbers: set[int] = set()
        overflowed = False
        while self._file >= 0:
            try:
                events = os.read(self._file, _READ_BYTES)
            except OSError:
                break
            at = 0
            while at < len(events):
                number, mask, _, name_bytes = _EVENT.unpack_from(events, at)
                at += _EVENT.size + name_bytes
                if mask & _OVERFLOW:
                    overflowed = True
                elif mask & _ISDIR:
                    numbers.add(number)
        return numbers, overflowed

    def close(self) -> None:
        """Close the event queue, which removes all watches."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
