"""Reads the answer of a web server within limits of size and time."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPResponse
from typing import Final

from wattribute.core.errors import SourceFailed
from wattribute.http.connection import BROKEN

_PIECE: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class Answer:
    """The whole answer of a server."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes


class Stream:
    """An answer without an end, read line by line."""

    def __init__(self, where: str, response: HTTPResponse) -> None:
        """Wrap a response whose body is unread; ``where`` is the URL, for messages."""
        self._where = where
        self._response = response

    def line(self, most_bytes: int) -> bytes:
        r"""Read the next line with its ``\n``; b"" when the server ended the answer.

        Raises:
            SourceFailed: The stream broke or stalled, or the line is longer than ``most_bytes``.
        """
        try:
            line = self._response.readline(most_bytes)
        except BROKEN as error:
            raise SourceFailed(f"{self._where}: the stream broke: {reason_of(error)}") from error
        if line and not line.endswith(b"\n"):
            if len(line) >= most_bytes:
                raise SourceFailed(f"{self._where}: a line is longer than {_readable(most_bytes)}")
            raise SourceFailed(f"{self._where}: the stream broke in the middle of a line")
        return line


def body_of(response: HTTPResponse, where: str, largest_bytes: int, longest_s: float) -> bytes:
    """Read the whole body.

    Args:
        response: The answer, with its body unread.
        where: The URL, for messages.
        largest_bytes: The largest body that is read.
        longest_s: The longest time that the body may take, in seconds.

    Raises:
        SourceFailed: The body is too large, too slow, or not whole.
        BROKEN: The connection broke off.
    """
    until_s = time.monotonic() + longest_s
    pieces: list[bytes] = []
    size = 0
    while True:
        if size + (response.length or 0) > largest_bytes:
            raise SourceFailed(
                f"{where}: an answer of over {_readable(largest_bytes)} is not read; "
                "is this the right server?"
            )
        if time.monotonic() > until_s:
            raise SourceFailed(f"{where}: no whole answer in {longest_s:g} s; given up")
        piece = response.read1(_PIECE)
        if not piece:
            break
        pieces.append(piece)
        size += len(piece)
    if response.length:
        raise SourceFailed(f"{where}: the answer broke off after {size} bytes")
    return b"".join(pieces)


def is_success(status: int) -> bool:
    """Whether the status is 2xx."""
    return 200 <= status < 300


def reason_of(error: Exception) -> str:
    """Why a request failed, in a few words."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return f"{type(error).__name__} {error}".strip()[:200]


def _readable(size: int) -> str:
    return f"{size >> 20} MiB" if size >= 1 << 20 else f"{size} bytes"
