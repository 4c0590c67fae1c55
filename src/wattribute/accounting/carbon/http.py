"""The one door to httpx in this room: a bounded answer within a bounded time, or one clear line.

No redirects, no retries (the grid stands in for what fails), and no word of a query or a header in
any message or log: they hold tokens.
"""

import logging
import ssl
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

import httpx
import msgspec

from wattribute.core.errors import IntensityAbsent, IntensityDenied, IntensityFailed

_LIMIT: Final = 16 * 1024 * 1024
"""Bytes of one answer; a year of ENTSO-E's is about 10 MB."""
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class Api:
    """One API at one address."""

    def __init__(self, name: str, url: str, timeout_s: float) -> None:
        """Nothing is sent yet.

        Raises:
            IntensityDenied: the address would carry a secret in the clear.
        """
        self.name = name
        self._url = url.rstrip("/")
        self._timeout_s = timeout_s
        parsed = httpx.URL(self._url)
        if parsed.scheme != "https" and parsed.host not in _LOOPBACK:
            raise IntensityDenied(f"{name}: {self._url}: must be https, because a token is sent")
        # They log whole addresses, in which ENTSO-E's token is.
        for noisy in ("httpx", "httpcore"):
            logging.getLogger(noisy).setLevel(logging.WARNING)

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
            IntensityFailed: no answer, another one, too long or too late.
        """
        until_s = time.monotonic() + self._timeout_s
        body = bytearray()
        try:
            with (
                httpx.Client(verify=_tls(), timeout=self._timeout_s) as client,
                client.stream(
                    "GET", self._url + path, params=query, headers=headers, auth=auth
                ) as answer,
            ):
                for piece in answer.iter_bytes():
                    body += piece
                    if len(body) > _LIMIT:
                        raise self._failed(path, f"answered more than {_LIMIT} bytes")
                    if time.monotonic() > until_s:
                        raise self._failed(path, f"took longer than {self._timeout_s:g} s")
        except (httpx.HTTPError, httpx.InvalidURL) as exc:
            reason = "no answer in time" if isinstance(exc, httpx.TimeoutException) else _kind(exc)
            raise self._failed(path, reason) from None  # the cause's text may hold the query
        self._check(path, answer.status_code)
        return bytes(body)

    def json(
        self,
        path: str,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
    ) -> dict[str, object]:
        """The object that is the body.

        Raises:
            IntensityAbsent, IntensityDenied, IntensityFailed: as ``get``.
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
        IntensityDenied: no such file is named, it cannot be read, or is empty.
    """
    if not path:
        raise IntensityDenied(f"{name}: needs a token; set {key} to the file that holds it")
    try:
        text = Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "not text"
        raise IntensityDenied(f"{name}: {path}: cannot be read: {reason} ({key})") from exc
    if not text or not text.isprintable() or not text.isascii():
        raise IntensityDenied(f"{name}: {path}: is not one line with a token ({key})")
    return text


@cache
def _tls() -> ssl.SSLContext:
    """The authorities to trust, read once: that takes longer than a request does."""
    return httpx.create_ssl_context()


def _kind(exc: Exception) -> str:
    """The error without its text, which may hold the address."""
    return f"no answer ({type(exc).__name__})"
