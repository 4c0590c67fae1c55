"""Writing a file whole: whoever reads it, even after a crash, sees the old content or the new."""

import contextlib
import errno
import os
from pathlib import Path
from typing import Final

_UNFLUSHED: Final = frozenset({errno.EACCES, errno.EINVAL, errno.EBADF, errno.ENOTSUP})
"""Errors of folders that may not be opened, and of file systems that cannot flush a folder.
PostgreSQL goes on after the same errors (``fsync_fname_ext`` in src/common/file_utils.c)."""


def write_whole(path: Path, content: bytes, mode: int = 0o666) -> None:
    """Write a file and flush it to disk, in place of the old one.

    Args:
        path: The file. A symbolic link there is replaced, not followed.
        content: All of the file.
        mode: Permissions of the new file, less the umask.

    Raises:
        OSError: The file could not be written. The old one is still there, whole.
    """
    draft = draft_of(path)
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        with os.fdopen(os.open(draft, flags, mode), "wb", buffering=0) as file:
            rest = memoryview(content)
            while rest:
                rest = rest[file.write(rest) :]
    except BaseException:
        _remove(draft)
        raise
    put_in_place(draft, path)


def put_in_place(draft: Path, path: Path) -> None:
    """Flush a finished draft to disk, and rename it to a file of the same folder.

    Raises:
        OSError: The draft could not be flushed or renamed, and is removed. The old file is still
            there, whole; or the new one, if only the rename could not be flushed.
    """
    try:
        _flush(draft)
        draft.rename(path)
    except BaseException:
        _remove(draft)
        raise
    try:
        _flush(path.parent)  # without it a power failure can undo the rename
    except OSError as exc:
        if exc.errno not in _UNFLUSHED:
            raise


def draft_of(path: Path) -> Path:
    """The file that a new content of ``path`` is written to first; each process has its own."""
    return path.with_name(f"{path.name}.{os.getpid()}.new")


def _flush(path: Path) -> None:
    """Bring the content of a file to disk, or the names in a folder."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(draft: Path) -> None:
    with contextlib.suppress(OSError):
        draft.unlink()
