"""Which folders got or lost a subfolder: inotify(7), for cgroups come and go at any time.

mkdir(2) and rmdir(2) in a cgroup file system notify watchers like in any
other, because the notice is given above the file systems (fs/namei.c).
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
"""wd, mask, cookie, length of the name that follows."""
_READ_BYTES: Final = 1 << 16


class Watches:
    """Watched folders, by the numbers that inotify gives them; without inotify, none."""

    def __init__(self) -> None:
        """Open the queue; where that fails (limits, sandboxes) every ``add`` says -1."""
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._file: int = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)

    def add(self, path: str) -> int:
        """Watch a folder.

        Returns:
            Its number; -1 if it cannot be watched (gone, or
            fs.inotify.max_user_watches is reached).
        """
        if self._file < 0:
            return -1
        number: int = self._libc.inotify_add_watch(self._file, os.fsencode(path), _MASK)
        return number

    def changed(self) -> tuple[set[int], bool]:
        """What changed since the last call.

        Returns:
            Numbers of the folders with new or gone subfolders, and whether
            notices were lost: then any folder may have changed.
        """
        numbers: set[int] = set()
        lost = False
        while self._file >= 0:
            try:
                notices = os.read(self._file, _READ_BYTES)
            except OSError:
                break
            at = 0
            while at < len(notices):
                number, mask, _, name_bytes = _EVENT.unpack_from(notices, at)
                at += _EVENT.size + name_bytes
                if mask & _OVERFLOW:
                    lost = True
                elif mask & _ISDIR:
                    numbers.add(number)
        return numbers, lost

    def close(self) -> None:
        """Give the queue back, and all watches with it."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
