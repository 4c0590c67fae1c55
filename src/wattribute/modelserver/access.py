"""Who may read and who may post: bearer tokens in files, read again at every request.

A token that is replaced (Kubernetes renews mounted Secrets) counts at once.
"""

import hmac
from pathlib import Path
from typing import Final

from wattribute.errors import ConfigInvalid

_LEAST: Final = 16
_MOST_BYTES: Final = 4096


class Access:
    """Reading is open on loopback, or when told so; posting always needs a token."""

    def __init__(
        self, write_token: Path | None, read_token: Path | None, *, open_reads: bool
    ) -> None:
        """Check the files.

        Args:
            write_token: for posting, and for reading; None: nobody may post.
            read_token: for reading alone; None: the other one.
            open_reads: reading needs no token.

        Raises:
            ConfigInvalid: a file cannot be read, or has no good token.
        """
        self._write, self._read, self._open = write_token, read_token, open_reads
        for path in (write_token, read_token):
            if path is not None:
                _token(path)

    @property
    def takes_posts(self) -> bool:
        """Whether anybody may post."""
        return self._write is not None

    def may_read(self, authorization: str) -> bool:
        """Whether this header's token lets one read."""
        return self._open or any(_matches(p, authorization) for p in (self._read, self._write))

    def may_post(self, authorization: str) -> bool:
        """Whether this header's token lets one post."""
        return _matches(self._write, authorization)


def _matches(path: Path | None, authorization: str) -> bool:
    scheme, _, given = authorization.partition(" ")
    if path is None or scheme.lower() != "bearer":
        return False
    try:
        wanted = _token(path)
    except ConfigInvalid:
        return False
    return hmac.compare_digest(given.strip().encode(), wanted)


def _token(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            token = file.read(_MOST_BYTES).strip()
    except OSError as exc:
        raise ConfigInvalid(f"token file {path}: {exc.strerror}") from exc
    if len(token) < _LEAST or not token.isascii() or len(token.split()) != 1:
        raise ConfigInvalid(
            f"token file {path}: needs one word of {_LEAST} characters or more; "
            f"make one with: openssl rand -hex 32 > {path}"
        )
    return token
