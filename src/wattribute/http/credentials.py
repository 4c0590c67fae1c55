"""Checks basic auth (RFC 7617) against bcrypt hashes."""

import base64
import binascii
import hmac
import secrets
import threading
import time
from collections.abc import Mapping
from hashlib import sha256
from typing import Final

FAILURE_DELAY_S: Final = 0.5
"""Seconds that every server waits before it refuses a wrong password or token."""
_CACHE: Final = 64
"""The number of verified passwords that are remembered; a scraper has one."""
_NOBODY: Final = b"$2b$10$Tm1kDyLYzFOZXcTmSXuAEeYKrg9jnMvBMAaEIvHAqEyqrFyYaPIvC"
"""The hash that stands in for unknown users, so that time does not tell which users exist."""


class BasicAuth:
    """Users and the bcrypt hashes of their passwords.

    A bcrypt check takes a quarter of a second of CPU by design. So a password that was right once
    is remembered in memory, as a keyed digest. Checks run one at a time, so that guessing costs at
    most one CPU, and a wrong password is refused late.
    """

    def __init__(self, users: Mapping[str, str]) -> None:
        """Take the users, by name, with their bcrypt hashes."""
        self._users = {name: hashed.encode() for name, hashed in users.items()}
        self._key = secrets.token_bytes(32)
        self._verified: set[bytes] = set()
        self._lock = threading.Lock()

    def allows(self, authorization: str) -> bool:
        """Whether an ``Authorization`` header has a user with the right password."""
        login = _decoded(authorization)
        if login is None:
            return False
        user, password = login
        digest = hmac.digest(self._key, f"{len(user)}:{user}:{password}".encode(), sha256)
        if digest in self._verified:
            return True
        with self._lock:
            right = self._check(user, password)
            if right:
                if len(self._verified) >= _CACHE:
                    self._verified.clear()
                self._verified.add(digest)
        if not right:
            time.sleep(FAILURE_DELAY_S)
        return right

    def _check(self, user: str, password: str) -> bool:
        import bcrypt  # noqa: PLC0415 - only where web-config names users

        hashed = self._users.get(user)
        try:
            right = bcrypt.checkpw(password.encode(), hashed or _NOBODY)
        except ValueError:  # over 72 bytes, or NUL: no hash can be of it
            return False
        return right and hashed is not None


def user_of(authorization: str) -> str | None:
    """The user that an ``Authorization`` header names, unchecked; None if it is not basic auth."""
    login = _decoded(authorization)
    return None if login is None else login[0]


def _decoded(authorization: str) -> tuple[str, str] | None:
    """The user and the password of an ``Authorization`` header; None if it is not basic auth."""
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        return None
    user, colon, password = text.partition(":")
    return (user, password) if colon else None
