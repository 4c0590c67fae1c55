"""Parses requests and writes heads of responses in HTTP/1.1 (RFC 9112), without any I/O.

Requests with a body are refused, because neither metrics nor the scaler's JSON take one.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

MAX_HEAD_BYTES: Final = 16_384
"""The largest request line and headers, together."""

_TOKEN: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VERSION: Final = re.compile(rb"HTTP/1\.[01]")


class RequestRefused(Exception):  # noqa: N818 - named for the answer
    """A request that cannot be served. The connection is closed after the answer."""

    def __init__(self, status: HTTPStatus, reason: str) -> None:
        """Keep the status and the reason, which are sent to the client."""
        super().__init__(reason)
        self.status = status


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A client's request, which has no body."""

    method: str
    path: str
    """The path as the client sent it, without the query; percent signs are not decoded."""
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Headers by name in lower case; the values of a repeated header are joined with commas."""
    keep_alive: bool = True


@dataclass(frozen=True, slots=True)
class Response:
    """The server's answer to a request."""

    status: HTTPStatus
    body: bytes
    content_type: str = "text/plain; charset=utf-8"
    headers: tuple[tuple[str, str], ...] = ()


NO_SNIFFING: Final = ("X-Content-Type-Options", "nosniff")
"""Tells browsers to believe the content type."""
GET_ONLY: Final = Response(
    HTTPStatus.METHOD_NOT_ALLOWED,
    b"GET or HEAD only\n",
    headers=(("Allow", "GET, HEAD"), NO_SNIFFING),
)
"""The answer to any other method."""


def parse(head: bytes) -> HttpRequest:
    """Parse the head of a request, without the empty line that ends it.

    Raises:
        RequestRefused: The head is not HTTP/1, or the request has a body.
    """
    first, *lines = head.split(b"\r\n")
    parts = first.split(b" ")
    if len(parts) != 3 or not _TOKEN.fullmatch(parts[0]) or not parts[1].startswith(b"/"):
        raise RequestRefused(HTTPStatus.BAD_REQUEST, "not an HTTP request")
    if not _VERSION.fullmatch(parts[2]):
        raise RequestRefused(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, "HTTP/1.0 or HTTP/1.1 only")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon or not _TOKEN.fullmatch(name):
            raise RequestRefused(HTTPStatus.BAD_REQUEST, "a header is not valid")
        key, text = name.decode().lower(), value.strip().decode("latin-1")
        headers[key] = f"{headers[key]},{text}" if key in headers else text
    if headers.get("content-length", "0") != "0" or "transfer-encoding" in headers:
        raise RequestRefused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "no request here has a body")
    path, _, query = parts[1].decode("latin-1").partition("?")
    connection = headers.get("connection", "").lower()
    keep_alive = connection != "close" if parts[2] == b"HTTP/1.1" else connection == "keep-alive"
    return HttpRequest(parts[0].decode(), path, query, headers, keep_alive)


def head_of(response: Response, *, keep_alive: bool) -> bytes:
    """The head of a response: status line, headers, and the empty line that ends it."""
    status = response.status
    lines = [
        f"HTTP/1.1 {status.value} {status.phrase}",
        f"Content-Type: {response.content_type}",
        f"Content-Length: {len(response.body)}",
        *(f"{name}: {value}" for name, value in response.headers),
        f"Connection: {'keep-alive' if keep_alive else 'close'}",
        "",
        "",
    ]
    return "\r\n".join(lines).encode("latin-1", "replace")
