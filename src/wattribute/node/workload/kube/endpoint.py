"""Requests to an HTTPS server of the cluster: bounded, authenticated, verified.

The door of ``http.client`` and ``ssl``: 2.5 MB, imported only where a Kubernetes source is on.
"""

import contextlib
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Final
from urllib.parse import urlencode, urlsplit

import msgspec

from wattribute.core.errors import ConfigInvalid, IdentityDenied, IdentityExpired, IdentityFailed
from wattribute.node.workload.kube.shapes import STATUS

CONNECT_S: Final = 10.0
ANSWER_S: Final = 30.0
"""A whole answer takes no longer, or is given up."""
LARGEST_BYTES: Final = 32 << 20
"""500 pods of 64 KiB; a larger answer is refused."""
_LONGEST_LINE: Final = 8 << 20
"""Of a watch: etcd keeps objects of at most 1.5 MiB."""
_PIECE: Final = 1 << 16
_LONGEST_MESSAGE: Final = 300
_KEEPALIVE: Final = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 30),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
)
"""A server that vanished without a word is noticed in a minute."""


_BROKEN: Final = (OSError, http.client.HTTPException, ValueError, AttributeError)
"""What a request can end in; the last two where ``close`` shut it in the middle of a read."""


class Lines:
    """The lines of an answer that goes on."""

    def __init__(self, where: str, response: http.client.HTTPResponse) -> None:
        """``where``: the URL, for messages."""
        self._where = where
        self._response = response

    def next(self) -> bytes:
        """The next line; b"" when the server ended the answer.

        Raises:
            IdentityFailed: the stream broke, stalled, or holds a line that is too long.
        """
        try:
            line = self._response.readline(_LONGEST_LINE)
        except _BROKEN as error:
            raise IdentityFailed(f"{self._where}: the stream broke: {_reason(error)}") from error
        if line and not line.endswith(b"\n"):
            if len(line) >= _LONGEST_LINE:
                raise IdentityFailed(f"{self._where}: an event of over {_LONGEST_LINE} bytes")
            raise IdentityFailed(f"{self._where}: the stream broke in the middle of an event")
        return line


class Endpoint:
    """One server; each request has a connection of its own."""

    def __init__(self, url: str, token_file: str, ca_file: str, setting: str) -> None:
        """Nothing is asked yet; ``setting`` is the key that holds ``url``.

        Raises:
            ConfigInvalid: ``url`` is no address.
        """
        try:
            parts = urlsplit(url)
            valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            valid = False
        if not valid:
            raise ConfigInvalid(f"{setting}: {url!r} is no address; write https://HOST:PORT")
        self.url = url.rstrip("/")
        self.requests = 0
        self._tls = parts.scheme == "https"
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if self._tls else 80)
        self._prefix = parts.path.rstrip("/")
        self._token_file = token_file
        self._ca_file = ca_file
        self._lock = threading.Lock()
        self._closed = False
        self._connection: http.client.HTTPConnection | None = None
        self._socket: socket.socket | None = None

    def get(self, path: str, query: Mapping[str, str], needs: str) -> bytes:
        """The whole answer.

        Args:
            path: begins with a slash.
            query: parameters.
            needs: the rule that allows it, for the message when it is forbidden.

        Raises:
            IdentityError: there was no answer, or it was an error, or it is too large.
        """
        where, response = self._ask(path, query, needs, ANSWER_S)
        try:
            return _body(where, response)
        except _BROKEN as error:
            raise IdentityFailed(f"{where}: the answer broke off: {_reason(error)}") from error
        finally:
            self.hang_up()

    def stream(self, path: str, query: Mapping[str, str], needs: str, silence_s: float) -> Lines:
        """An answer that goes on, until ``hang_up``; a silence of ``silence_s`` is a failure.

        Raises:
            IdentityError: as ``get``.
        """
        return Lines(*self._ask(path, query, needs, silence_s))

    def hang_up(self) -> None:
        """End the answer that goes on."""
        with self._lock:
            connection, self._connection, self._socket = self._connection, None, None
        if connection is not None:
            with contextlib.suppress(OSError):
                connection.close()

    def close(self) -> None:
        """End what is going on, from any thread; later requests fail."""
        with self._lock:
            self._closed = True
            sock = self._socket
            if sock is not None:
                with contextlib.suppress(OSError):
                    socket.socket.shutdown(sock, socket.SHUT_RDWR)  # wakes a thread that reads

    def _ask(
        self, path: str, query: Mapping[str, str], needs: str, silence_s: float
    ) -> tuple[str, http.client.HTTPResponse]:
        """Begin a request; where it went, and the answer with its body unread."""
        where = f"{self.url}{path}"
        target = f"{self._prefix}{path}" + (f"?{urlencode(query)}" if query else "")
        token = self._token()
        headers = {"Accept": "application/json", "User-Agent": "wattribute"}
        if token and self._tls:
            headers["Authorization"] = f"Bearer {token}"
        self.requests += 1
        try:
            connection, sock = self._connect()
            sock.settimeout(ANSWER_S)
            connection.request("GET", target, headers=headers)
            response = connection.getresponse()
            if response.status == HTTPStatus.OK:
                sock.settimeout(silence_s)
                return where, response
            body = response.read1(_PIECE)
        except _BROKEN as error:
            self.hang_up()
            raise IdentityFailed(f"{where}: {self._why(error)}") from error
        self.hang_up()
        raise self._refused(where, response, body, needs)

    def _connect(self) -> tuple[http.client.HTTPConnection, socket.socket]:
        connection: http.client.HTTPConnection
        if self._tls:
            connection = http.client.HTTPSConnection(
                self._host, self._port, timeout=CONNECT_S, context=self._context()
            )
        else:
            connection = http.client.HTTPConnection(self._host, self._port, timeout=CONNECT_S)
        connection.connect()
        sock: socket.socket = connection.sock
        with self._lock:
            self._connection, self._socket = connection, sock
            closed = self._closed
        if closed:
            raise OSError("closed")
        for level, option, value in _KEEPALIVE:
            sock.setsockopt(level, option, value)
        return connection, sock

    def _context(self) -> ssl.SSLContext:
        """Who is trusted; the file is read each time, for certificates are replaced too."""
        try:
            context = ssl.create_default_context(cafile=self._ca_file or None)
        except OSError as error:
            reason = "no certificate in it" if isinstance(error, ssl.SSLError) else error.strerror
            raise IdentityFailed(f"workload.kube_ca_file {self._ca_file}: {reason}") from error
        # On by default from Python 3.13; cluster CAs often lack the extensions that it wants.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        return context

    def _token(self) -> str:
        """The token as it is now: the kubelet replaces the file before it expires."""
        try:
            return Path(self._token_file).read_text(encoding="ascii").strip()
        except (OSError, UnicodeError):
            return ""

    def _why(self, error: Exception) -> str:
        if isinstance(error, ssl.SSLCertVerificationError):
            return (
                f"its certificate is not trusted ({error.verify_message}); workload.kube_ca_file "
                f"({self._ca_file or 'the system certificates'}) must hold what signed it"
            )
        return _reason(error)

    def _refused(
        self, where: str, response: http.client.HTTPResponse, body: bytes, needs: str
    ) -> IdentityDenied | IdentityExpired | IdentityFailed:
        """The error that an answer other than 200 stands for."""
        status, said = response.status, _message(body)
        match status:
            case HTTPStatus.UNAUTHORIZED:
                return IdentityDenied(
                    f"{where}: 401, who we are is not accepted; "
                    + (
                        f"the token in {self._token_file} has expired or is another cluster's; "
                        "it is read again at every try"
                        if self._token()
                        else f"workload.kube_token_file {self._token_file}: no token to be read"
                    )
                )
            case HTTPStatus.FORBIDDEN:
                return IdentityDenied(f"{where}: 403, {said}; a ClusterRole must allow {needs}")
            case HTTPStatus.GONE:
                return IdentityExpired(f"{where}: 410, {said}")
        pause = response.headers.get("Retry-After", "")
        return IdentityFailed(
            f"{where}: {status}, {said}", float(pause) if pause.isdecimal() else 0.0
        )


def _body(where: str, response: http.client.HTTPResponse) -> bytes:
    """The whole body, within bounds of size and time."""
    whole = response.length  # None: the server does not say
    until_s = time.monotonic() + ANSWER_S
    pieces, size = [], 0
    while whole is None or size < whole:
        if max(whole or 0, size) > LARGEST_BYTES:
            raise IdentityFailed(
                f"{where}: an answer of over {LARGEST_BYTES >> 20} MiB is not read; is this the "
                "right server, and does the node have so many pods?"
            )
        if time.monotonic() > until_s:
            raise IdentityFailed(f"{where}: no whole answer in {ANSWER_S:.0f} s; given up")
        piece = response.read1(_PIECE)
        if not piece:
            break
        pieces.append(piece)
        size += len(piece)
    if whole is not None and size < whole:
        raise IdentityFailed(f"{where}: the answer broke off after {size} of {whole} bytes")
    return b"".join(pieces)


def _message(body: bytes) -> str:
    """What an error's body says, on one line."""
    try:
        text = STATUS.decode(body).message
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        text = body.decode("utf-8", "replace")
    return " ".join(text.split())[:_LONGEST_MESSAGE] or "without a word"


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return f"{type(error).__name__} {error}".strip()
