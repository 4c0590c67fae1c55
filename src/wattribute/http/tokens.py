"""Reads secrets from files, again for every request.

So a secret that is replaced counts at once; Kubernetes renews mounted Secrets.
"""

import hmac
from pathlib import Path
from typing import Final

from wattribute.core.errors import ConfigInvalid

_LEAST: Final = 16
_MOST_BYTES: Final = 1 << 16


def matches(path: Path, authorization: str) -> bool:
    """Whether an ``Authorization`` header has the token in this file; a bad file has none."""
    scheme, _, presented = authorization.partition(" ")
    if scheme.lower() != "bearer":
        return False
    try:
        token = token_in(path)
    except ConfigInvalid:
        return False
    return hmac.compare_digest(presented.strip().encode(), token)


def token_in(path: Path, setting: str = "token file") -> bytes:
    """The token in a file that clients of our server must send.

    Args:
        path: The file.
        setting: The setting that names it, for messages.

    Raises:
        ConfigInvalid: The file cannot be read, or has no good token.
    """
    try:
        token = _content(path).strip()
    except OSError as exc:
        raise ConfigInvalid(f"{setting}: {path}: cannot be read: {exc.strerror}") from exc
    if len(token) < _LEAST or not token.isascii() or len(token.split()) != 1:
        raise ConfigInvalid(
            f"{setting}: {path}: needs one word of {_LEAST} characters or more; "
            f"make one with: openssl rand -hex 32 > {path}"
        )
    return token


def secret_in(path: str, key: str) -> str:
    """The password or token in a file that we send to a server.

    Args:
        path: The file; "" is none.
        key: The setting that names it, for messages.

    Raises:
        ConfigInvalid: There is no file, it cannot be read, or it is not one line of text.
    """
    if not path:
        raise ConfigInvalid(f"{key}: not given; name the file that holds it")
    try:
        secret = _content(Path(path)).decode().strip()
    except OSError as exc:
        raise ConfigInvalid(f"{key}: {path}: cannot be read: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise ConfigInvalid(f"{key}: {path}: cannot be read: not UTF-8 text") from exc
    if not secret or not secret.isprintable():
        raise ConfigInvalid(f"{key}: {path}: is not one line with a password or token")
    return secret


def _content(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_MOST_BYTES)
