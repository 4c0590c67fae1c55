"""The fake BMC's web server: sessions, passwords, TLS and faults."""

import base64
import json
import ssl
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final, Self

from wattribute_testing.bmc.trees import ROOT, Tree, tree

_SESSIONS: Final = f"{ROOT}/SessionService/Sessions"
_PIECE: Final = b" " * 65_536


@dataclass(slots=True)
class Faults:
    """What goes wrong; may be changed while the BMC runs."""

    status: int = 0
    """Answer everything with this; 0: do not."""
    status_at: dict[str, int] = field(default_factory=dict)
    """The same for paths that end so."""
    delay_s: float = 0.0
    """Before each answer."""
    junk: bytes | None = None
    """The body of every resource but the root."""
    headers: dict[str, str] = field(default_factory=dict)
    """Added to every answer."""
    endless: bool = False
    """Bodies without an end."""
    cut: bool = False
    """Answers break off in their middle."""
    hang_up: bool = False
    """The connection is closed after each answer, without a word about it."""
    no_sessions: int = 0
    """The status with which new sessions are refused; 0: they are given."""
    redirect: str = ""
    """Location of the answers that ``status`` and ``status_at`` tell."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "_Http"

    def do_GET(self) -> None:
        """Answer with a resource."""
        self._handle("GET")

    def do_POST(self) -> None:
        """Answer a login."""
        self._handle("POST")

    def do_DELETE(self) -> None:
        """Answer a logout."""
        self._handle("DELETE")

    def _handle(self, method: str) -> None:
        bmc = self.server.owner
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        bmc.seen.append((method, self.path))
        until_s = time.monotonic() + bmc.faults.delay_s
        while time.monotonic() < until_s and not bmc.stopped:
            time.sleep(0.005)
        with suppress(OSError):
            status, content, headers = bmc.answer(method, self.path, dict(self.headers), body)
            self._send(status, content, {**headers, **bmc.faults.headers})
            if bmc.faults.hang_up:
                self.close_connection = True

    def _send(self, status: int, content: bytes, headers: Mapping[str, str]) -> None:
        faults = self.server.owner.faults
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if faults.endless:
            self.end_headers()
            self.close_connection = True
            while not self.server.owner.stopped:
                self.wfile.write(_PIECE)
            return
        self.send_header("Content-Length", str(len(content) + (7 if faults.cut else 0)))
        self.end_headers()
        self.wfile.write(content)
        if faults.cut:
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Nothing on standard error."""


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    owner: "FakeBmc"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hung up is nobody's business."""


class FakeBmc:
    """One BMC; a context manager. Its power may be set, and its tree changed, while it runs."""

    username = "reader"
    password = "pass,word:1"  # noqa: S105 - of a fake

    def __init__(
        self,
        vendor: str = "hpe",
        power_w: float = 200.0,
        *,
        tls: tuple[Path, Path] | None = None,
    ) -> None:
        """Not listening yet.

        Args:
            vendor: whose tree; one of ``VENDORS``.
            power_w: what the chassis draws.
            tls: certificate and key; None: plain HTTP.
        """
        self.tree: Tree = tree(vendor, power_w)
        self.faults = Faults()
        self.sessions: dict[str, str] = {}
        """Token -> path of those that are open."""
        self.basic = True
        """Whether passwords are taken with each request."""
        self.seen: list[tuple[str, str]] = []
        """Method and path of all requests."""
        self.stopped = True
        self._vendor = vendor
        self._tls = tls
        self._made = 0
        self._http = _Http(("127.0.0.1", 0), _Handler)
        self._http.owner = self

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self._http.server_address[1]}"

    def set_power(self, power_w: float) -> None:
        """Let the chassis draw so many watts."""
        self.tree = tree(self._vendor, power_w)

    def expire_sessions(self) -> None:
        """All tokens are forgotten, as after half an hour or a restart of the BMC."""
        self.sessions.clear()

    def count(self, method: str, path: str = "") -> int:
        """How many requests there were; of paths that end so."""
        return sum(m == method and p.endswith(path) for m, p in self.seen)

    def __enter__(self) -> Self:
        if self._tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*self._tls)
            self._http.socket = context.wrap_socket(
                self._http.socket, server_side=True, do_handshake_on_connect=False
            )
        self.stopped = False
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopped = True
        self._http.shutdown()
        self._http.server_close()

    def answer(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, bytes, dict[str, str]]:
        """Status, body and headers of one answer."""
        faults, plain = self.faults, path.rstrip("/")
        at = (code for end, code in faults.status_at.items() if plain.endswith(end))
        if status := faults.status or next(at, 0):
            moved = {"Location": faults.redirect} if faults.redirect else {}
            return status, b'{"error": {"message": "told to fail"}}', moved
        if method == "POST":
            return self._login(plain, body)
        if plain != ROOT and not self._authenticated(headers):
            return HTTPStatus.UNAUTHORIZED, b"{}", {"WWW-Authenticate": 'Basic realm="BMC"'}
        if method == "DELETE":
            return self._logout(plain), b"{}", {}
        if plain not in self.tree:
            return HTTPStatus.NOT_FOUND, b"{}", {}
        junk = faults.junk if plain != ROOT else None
        return HTTPStatus.OK, junk or json.dumps(self.tree[plain]).encode(), {}

    def _logout(self, path: str) -> int:
        token = next((t for t, where in self.sessions.items() if where == path), "")
        return HTTPStatus.OK if self.sessions.pop(token, None) else HTTPStatus.NOT_FOUND

    def _login(self, path: str, body: bytes) -> tuple[int, bytes, dict[str, str]]:
        if path != _SESSIONS:
            return HTTPStatus.NOT_FOUND, b"{}", {}
        if self.faults.no_sessions:
            return self.faults.no_sessions, b"{}", {}
        login = json.loads(body)
        if (login["UserName"], login["Password"]) != (self.username, self.password):
            return HTTPStatus.UNAUTHORIZED, b"{}", {}
        self._made += 1
        token, where = f"token-{self._made}", f"{_SESSIONS}/{self._made}"
        self.sessions[token] = where
        return HTTPStatus.CREATED, b"{}", {"X-Auth-Token": token, "Location": self.url + where}

    def _authenticated(self, headers: Mapping[str, str]) -> bool:
        pair = base64.b64encode(f"{self.username}:{self.password}".encode()).decode()
        right = self.basic and headers.get("Authorization") == f"Basic {pair}"
        return right or headers.get("X-Auth-Token", "") in self.sessions
