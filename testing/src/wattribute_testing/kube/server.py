"""What both fake servers share: HTTP/1.1 with or without TLS, tokens, rights and faults."""

import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final, Self
from urllib.parse import parse_qsl, urlsplit

from wattribute_testing.kube.cluster import FakeCluster
from wattribute_testing.kube.faults import Faults, Seen
from wattribute_testing.kube.objects import Json

_PIECE: Final = 1 << 16
USER: Final = "system:serviceaccount:wattribute-system:wattribute"


class _Cut(Exception):  # noqa: N818 - not an error: the test asked for it
    """The connection is broken here."""


class Exchange(BaseHTTPRequestHandler):
    """A connection, and the answers that are sent on it."""

    protocol_version = "HTTP/1.1"
    server: "_Http"
    _bytes_sent = 0

    def do_GET(self) -> None:
        """Answer, with the faults that are on."""
        owner = self.server.owner
        parts = urlsplit(self.path)
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        owner.seen.append(Seen(parts.path, query, token, time.monotonic()))
        self._bytes_sent = 0
        try:
            self._answer(owner, Seen(parts.path, query, token, 0.0))
        except (_Cut, OSError, ssl.SSLError):
            self.close_connection = True
            with suppress(OSError):
                self.connection.shutdown(2)

    def _answer(self, owner: "FakeServer", request: Seen) -> None:
        faults = owner.faults
        while faults.silent.is_set() and not owner.stopped:
            time.sleep(0.01)
        if faults.status:
            headers = {"Retry-After": str(faults.retry_after_s)} if faults.retry_after_s else {}
            self.whole(faults.status, owner.error(faults.status, "told to fail"), headers)
        elif faults.junk is not None and not request.query.get("watch"):
            self.whole(HTTPStatus.OK, faults.junk)
        elif faults.huge_bytes:
            self._huge(faults.huge_bytes)
        elif faults.endless:
            self.stream(owner.blanks())
        elif owner.tokens is not None and request.token not in owner.tokens:
            self.whole(HTTPStatus.UNAUTHORIZED, owner.error(HTTPStatus.UNAUTHORIZED, ""))
        else:
            owner.answer(self, request)

    def whole(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        """An answer whose length is said."""
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self._write(body)

    def stream(self, pieces: Iterator[bytes]) -> None:
        """An answer in chunks, each sent at once."""
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for piece in pieces:
            self._write(b"%x\r\n%b\r\n" % (len(piece), piece))
        self._write(b"0\r\n\r\n")

    def _huge(self, size: int) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Length", str(size))
        self.end_headers()
        while size > 0:
            self.wfile.write(b" " * min(size, _PIECE))
            size -= _PIECE

    def _write(self, data: bytes) -> None:
        faults = self.server.owner.faults
        if faults.byte_every_s:
            for byte in data:
                if self.server.owner.stopped:
                    return
                self.wfile.write(bytes([byte]))
                time.sleep(faults.byte_every_s)
            return
        if faults.cut_after_bytes and self._bytes_sent + len(data) > faults.cut_after_bytes:
            self.wfile.write(data[: max(faults.cut_after_bytes - self._bytes_sent, 0)])
            raise _Cut
        self.wfile.write(data)
        self._bytes_sent += len(data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Nothing on standard error."""


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    owner: "FakeServer"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hung up is nobody's business."""


class FakeServer:
    """One server of a cluster; it may be stopped, and started again on the same port."""

    def __init__(
        self,
        cluster: FakeCluster,
        *,
        tls: tuple[Path, Path] | None = None,
        tokens: set[str] | None = None,
    ) -> None:
        """Not listening yet.

        Args:
            cluster: what it serves.
            tls: certificate and key; None: plain HTTP.
            tokens: who may ask; None: anybody. May be changed while it runs.
        """
        self.cluster = cluster
        self.tokens = tokens
        self.allowed: set[tuple[str, str]] | None = None
        """Rights (verb, resource); None: all. May be changed while it runs."""
        self.faults = Faults()
        self.seen: list[Seen] = []
        """All requests, in their order."""
        self.stopped = True
        self._tls = tls
        self._port = 0
        self._http: _Http | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self._port}"

    def start(self) -> Self:
        """Listen; on the same port as before."""
        http = _Http(("127.0.0.1", self._port), Exchange)
        http.owner = self
        if self._tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*self._tls)
            http.socket = context.wrap_socket(
                http.socket, server_side=True, do_handshake_on_connect=False
            )
        self._port = http.server_address[1]
        self._http = http
        self.stopped = False
        thread = threading.Thread(target=http.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        return self

    def stop(self) -> None:
        """Refuse connections, and end those that there are."""
        self.stopped = True
        if self._http is not None:
            self._http.shutdown()
            self._http.server_close()
            self._http = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def blanks(self) -> Iterator[bytes]:
        """No end of them."""
        while not self.stopped:
            yield b" " * _PIECE

    def may(self, verb: str, resource: str) -> bool:
        """Whether a right is given."""
        return self.allowed is None or (verb, resource) in self.allowed

    def error(self, status: int, message: str) -> bytes:
        """The body of an error."""
        raise NotImplementedError

    def answer(self, exchange: Exchange, request: Seen) -> None:
        """Answer a request that is let in."""
        raise NotImplementedError


def encoded(body: Json) -> bytes:
    """As it goes over the wire."""
    return json.dumps(body, separators=(",", ":")).encode()
