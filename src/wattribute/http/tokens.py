"""Bearer tokens in files, read again at every request.

A token that is replaced (Kubernetes renews mounted Secrets) counts at once.
"""

import hmac
from pathlib import Path
from typing import Final

from wattribute.core.errors import ConfigInvalid

_LEAST: Final = 16
_MOST_BYTES: Final = 4096


def matches(path: Path | None, authorization: str) -> bool:
    """Whether an ``Authorization`` header has the token in this file; None: no token is right."""
    scheme, _, given = authorization.partition(" ")
    if path is None or scheme.lower() != "bearer":
        return False
    try:
        wanted = token_in(path)
    except ConfigInvalid:
        return False
    return hmac.compare_digest(given.strip().encode(), wanted)


def token_in(path: Path) -> bytes:
    """The token in a file.

    Raises:
        ConfigInvalid: it cannot be read, or has no good token.
    """
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
