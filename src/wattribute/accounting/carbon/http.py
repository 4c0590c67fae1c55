"""Requests to an API of carbon figures: a bounded answer within a bounded time, or one clear line.

A request that fails is not repeated: the grid takes the next source instead.
"""

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

import msgspec

from wattribute.core.errors import (
    ConfigInvalid,
    IntensityAbsent,
    IntensityDenied,
    IntensityFailed,
    SourceFailed,
)
from wattribute.http.httpx_client import HttpxClient
from wattribute.http.tokens import secret_in

_LIMIT: Final = 16 * 1024 * 1024
"""Bytes of one answer; a year of ENTSO-E's is about 10 MB."""
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class Api:
    """One API at one address."""

    def __init__(self, name: str, url: str, timeout_s: float) -> None:
        """Nothing is sent yet.

        Raises:
            IntensityDenied: The address would carry a secret in the clear.
        """
        self.name = name
        self._url = url.rstrip("/")
        self._timeout_s = timeout_s
        parts = urlsplit(self._url)
        if parts.scheme != "https" and parts.hostname not in _LOOPBACK:
            raise IntensityDenied(f"{name}: {self._url}: must be https, because a token is sent")

    def get(
        self,
        path: str,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
    ) -> bytes:
        """The body of a 200.

        Raises:
            IntensityAbsent: 400 or 404, the API's way to say that it has not got it.
            IntensityDenied: 401 or 403.
            IntensityFailed: No answer, another one, too long or too late.
        """
        try:
            with (
                HttpxClient(timeout_s=self._timeout_s) as client,
                client.send(
                    "GET", self._url + path, query=query, headers=headers, auth=auth
                ) as reply,
            ):
                body = reply.read(_LIMIT, self._timeout_s)
        except SourceFailed as exc:
            raise self._failed(path, str(exc)) from None
        self._check(path, reply.status)
        return body

    def json(
        self,
        path: str,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
    ) -> dict[str, object]:
        """The object that is the body.

        Raises:
            IntensityAbsent, IntensityDenied, IntensityFailed: As `get`.
        """
        try:
            return msgspec.json.decode(self.get(path, query, headers, auth), type=dict[str, object])
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise self._failed(path, "the answer is not a JSON object") from None

    def _check(self, path: str, status: int) -> None:
        where = f"{self.name}: {self._url}{path}"
        if status in {400, 404}:
            raise IntensityAbsent(f"{where}: answered {status}: it has no such place or time")
        if status in {401, 403}:
            raise IntensityDenied(f"{where}: answered {status}: the token, or what it may ask for")
        if status != 200:
            more = ": asked too often" if status == 429 else ""
            raise IntensityFailed(f"{where}: answered {status}{more}")

    def _failed(self, path: str, reason: str) -> IntensityFailed:
        return IntensityFailed(f"{self.name}: {self._url}{path}: {reason}")


def secret(name: str, path: str, key: str) -> str:
    """The one line of a file that holds a token.

    Raises:
        IntensityDenied: No such file is named, it cannot be read, or it has no token.
    """
    if not path:
        raise IntensityDenied(f"{name}: needs a token; set {key} to the file that holds it")
    try:
        return secret_in(path, key)
    except ConfigInvalid as exc:
        raise IntensityDenied(f"{name}: {exc}") from exc
