"""One number in one sysfs file, read again and again through one descriptor."""

import errno
import os
from pathlib import Path

_LONGEST = 32
"""No 64-bit number is longer, its newline included; more would be cut off unseen."""

_STALE = frozenset({errno.ENODEV, errno.ESTALE, errno.ENXIO})
"""What a descriptor gives once its device has gone (kernfs: ENODEV)."""

_MOST = 2**63 - 1


class SensorFile:
    """A file that shows one whole number from 0 to 2**63 - 1.

    Reading costs a pread and an fstat. When the file behind the descriptor has
    been removed it is opened anew, once per read.
    """

    __slots__ = ("_fd", "path")

    def __init__(self, path: Path) -> None:
        """Open it.

        Raises:
            OSError: it cannot be opened.
        """
        self.path = path
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def read(self) -> int:
        """Return the number that it shows now.

        Raises:
            OSError: it cannot be read.
            ValueError: it is empty, negative, or no number.
        """
        if os.fstat(self._fd).st_nlink == 0:
            self._reopen()
        try:
            content = os.pread(self._fd, _LONGEST, 0)
        except OSError as exc:
            if exc.errno not in _STALE:
                raise
            self._reopen()
            content = os.pread(self._fd, _LONGEST, 0)
        return whole_number(content)

    def close(self) -> None:
        """Give the descriptor back."""
        os.close(self._fd)

    def _reopen(self) -> None:
        fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        os.close(self._fd)
        self._fd = fd


def whole_number(content: bytes) -> int:
    """Return the number that a sysfs file's content shows.

    Raises:
        ValueError: it is empty, negative, too large, or no number.
    """
    digits = content.strip()
    # int() would take "+5", "1_000" and digits of other scripts
    if not digits.isdigit() or len(content) >= _LONGEST or int(digits) > _MOST:
        raise ValueError(f"shows {content[:24]!r}, which is not a whole number of 63 bits")
    return int(digits)


def why(path: Path, exc: OSError | ValueError) -> str:
    """Say in one line what was tried, what came of it, and what would fix it."""
    where = f"{path.parent.name}/{path.name}"
    if isinstance(exc, PermissionError):
        return f"{where}: permission denied; needs root or CAP_DAC_READ_SEARCH"
    if isinstance(exc, FileNotFoundError):
        return f"{where}: not there; it is read when it comes back"
    if isinstance(exc, OSError):
        return f"{where}: {(exc.strerror or str(exc)).lower()}; tried again at every reading"
    return f"{where}: {exc}; tried again at every reading"
