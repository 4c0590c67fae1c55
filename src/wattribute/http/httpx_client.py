"""Requests of ledgers, statements and scalers to services. Only this module imports httpx.

It does not follow redirects and does not ask again. Neither errors nor the log show a query or a
header, because tokens are in them.
"""

import logging
import math
import ssl
import time
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Final, Self

import httpx

from wattribute.core.errors import SourceFailed, SourceInterrupted

_CONNECT_S: Final = 10.0
_MIB: Final = 1 << 20


class HttpxClient:
    """A pool of connections, with one limit of time and one set of trusted certificates."""

    def __init__(self, *, timeout_s: float, context: ssl.SSLContext | None = None) -> None:
        """Create a client that has no connection yet.

        Args:
            timeout_s: The longest silence of a server, in seconds. Connecting may take 10 s at
                most.
            context: The certificates that are trusted; None takes those that httpx brings.
        """
        for noisy in ("httpx", "httpcore"):  # they log whole addresses, with queries
            logging.getLogger(noisy).setLevel(logging.WARNING)
        self._client = httpx.Client(
            timeout=httpx.Timeout(timeout_s, connect=min(timeout_s, _CONNECT_S)),
            verify=context or _own_authorities(),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def send(
        self,
        method: str,
        url: str,
        *,
        query: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
    ) -> "Reply":
        """Send a request.

        Args:
            method: GET or POST.
            url: The address of the resource.
            query: Parameters, in addition to those of the URL.
            form: Fields of a form; they are sent as the body.
            headers: Headers, in addition to those that httpx sends.
            auth: User and password.

        Returns:
            The answer, with its body unread. The caller closes it.

        Raises:
            SourceFailed: There was no answer. The message is the reason, without the address.
        """
        try:
            request = self._client.build_request(
                method, url, params=query, data=form, headers=headers
            )
            return Reply(self._client.send(request, auth=auth, stream=True))
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as exc:
            raise SourceFailed(_reason(exc)) from None  # the cause's text may hold a secret


class Reply:
    """The answer of a service, whose body is read on demand."""

    def __init__(self, response: httpx.Response) -> None:
        """Wrap an open response."""
        self.status: Final = response.status_code
        self._response = response

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._response.close()

    def pieces(self, size: int | None = None) -> Iterator[bytes]:
        """The body, piece by piece as it comes in.

        Args:
            size: Bytes of each piece but the last; None takes them as the server sends them.

        Raises:
            SourceInterrupted: The answer broke off.
        """
        try:
            yield from self._response.iter_bytes(size)
        except httpx.HTTPError as exc:
            raise SourceInterrupted(f"the answer broke off: {_reason(exc)}") from None

    def read(self, most_bytes: int, longest_s: float = math.inf) -> bytes:
        """The whole body.

        Raises:
            SourceInterrupted: The answer broke off.
            SourceFailed: The body is larger than ``most_bytes``, or takes longer than
                ``longest_s`` seconds.
        """
        until_s = time.monotonic() + longest_s
        body = bytearray()
        for piece in self.pieces():
            body += piece
            if len(body) > most_bytes:
                raise SourceFailed(f"answered more than {most_bytes // _MIB} MiB")
            if time.monotonic() > until_s:
                raise SourceFailed(f"took longer than {longest_s:g} s")
        return bytes(body)


@cache
def _own_authorities() -> ssl.SSLContext:
    """The authorities that httpx brings, read once: that takes longer than a request does."""
    return httpx.create_ssl_context()


def _reason(exc: Exception) -> str:
    """Why there is no answer. Only a failed connection's own text is free of query and headers."""
    if isinstance(exc, httpx.TimeoutException):
        return "no answer in time"
    if isinstance(exc, httpx.ConnectError) and str(exc):
        return f"no connection: {exc}"
    return f"no answer ({type(exc).__name__})"
