"""One HTTP server with four APIs, each under its own path, whose faults are set by the test."""

import base64
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final, Self
from urllib.parse import parse_qsl, urlsplit

from wattribute_testing.carbon import answers

_PIECE: Final = b" " * 65_536


@dataclass(slots=True)
class Faults:
    """What goes wrong; may be changed while the server runs."""

    status: int = 0
    """Answer everything with this; 0: do not."""
    delay_s: float = 0.0
    """Before each answer."""
    drip_s: float = 0.0
    """Between every two bytes of a body: no read ever takes long, the whole does."""
    body: bytes | None = None
    """Instead of every true body."""
    replace: dict[bytes, bytes] = field(default_factory=dict)
    """Lies: what is put in the place of what, in every body."""
    endless: bool = False
    """Bodies without an end."""
    cut: bool = False
    """Answers break off in their middle."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "_Http"

    def do_GET(self) -> None:
        """An answer, true or not."""
        owner = self.server.owner
        url = urlsplit(self.path)
        query = dict(parse_qsl(url.query))
        owner.seen.append((url.path, query))
        until_s = time.monotonic() + owner.faults.delay_s
        while time.monotonic() < until_s and not owner.stopped:
            time.sleep(0.005)
        with suppress(OSError):
            self._send(*owner.answer(url.path, query, dict(self.headers)))

    def _send(self, status: int, body: bytes) -> None:
        faults = self.server.owner.faults
        if faults.body is not None:
            body = faults.body
        for true, lie in faults.replace.items():
            body = body.replace(true, lie)
        self.send_response(faults.status or status)
        if faults.endless:
            self.end_headers()
            self.close_connection = True
            while not self.server.owner.stopped:
                self.wfile.write(_PIECE)
            return
        self.send_header("Content-Length", str(len(body) + (7 if faults.cut else 0)))
        self.end_headers()
        if faults.drip_s:
            for byte in body:
                if self.server.owner.stopped:
                    break
                self.wfile.write(bytes([byte]))
                time.sleep(faults.drip_s)
        else:
            self.wfile.write(body)
        self.close_connection = self.close_connection or faults.cut

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Nothing on standard error."""


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    owner: "FakeCarbonApis"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hung up is nobody's business."""


class FakeCarbonApis:
    """Electricity Maps, WattTime, UK Carbon Intensity and ENTSO-E; a context manager."""

    token = "token-of-the-fake"  # noqa: S105 - of a fake
    username = "reader"
    password = "pass,word:1"  # noqa: S105

    def __init__(self) -> None:
        """Not listening yet."""
        self.faults = Faults()
        self.seen: list[tuple[str, dict[str, str]]] = []
        """(path, query) of every request."""
        self.zones = frozenset({"DE", "FR", "GB", "US-NW-BPAT"})
        self.regions = frozenset({"DE", "BPA", "CAISO_NORTH"})
        self.domains = frozenset({"10Y1001A1001A83F", "10YFR-RTE------C"})
        self.stopped = False
        self._http = _Http(("127.0.0.1", 0), _Handler)
        self._http.owner = self

    def at(self, instant: datetime) -> float:
        """The one truth: a day from 200 at midnight to 430 g/kWh in its last hour."""
        return 200.0 + 10.0 * instant.hour

    @property
    def url(self) -> str:
        """``http://127.0.0.1:PORT``; the APIs are under it."""
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def settings(self) -> dict[str, str]:
        """Keys of the room ``carbon`` that lead to this server; the files are the test's."""
        return {
            "electricity_maps_url": f"{self.url}/electricity-maps/v3",
            "watttime_url": f"{self.url}/watttime",
            "uk_url": f"{self.url}/uk",
            "entsoe_url": f"{self.url}/entsoe/api",
        }

    def answer(
        self, path: str, query: Mapping[str, str], headers: Mapping[str, str]
    ) -> answers.Answer:
        """The true answer to a request."""
        api, _, rest = path.strip("/").partition("/")
        resource = rest.rpartition("/")[2]
        if api == "uk":
            return answers.uk(rest, self.at)
        if rest == "login":
            pair = base64.b64encode(f"{self.username}:{self.password}".encode()).decode()
            password_is_right = headers.get("Authorization") == f"Basic {pair}"
            return (
                (200, b'{"token": "%s"}' % self.token.encode())
                if password_is_right
                else (403, b"{}")
            )
        tokens = {
            "electricity-maps": headers.get("auth-token"),
            "watttime": headers.get("Authorization", "").removeprefix("Bearer "),
            "entsoe": query.get("securityToken"),
        }
        if tokens.get(api) != self.token:
            return 401, b'{"error": "Invalid token"}'
        if api == "electricity-maps":
            return answers.electricity_maps(resource, query, self.at, self.zones)
        if api == "watttime":
            return answers.watttime(resource, query, self.at, self.regions)
        return answers.entsoe(query, self.at, self.domains)

    def __enter__(self) -> Self:
        """Start to listen on a free port."""
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        """Stop, and let go of whoever waits."""
        self.stopped = True
        self._http.shutdown()
        self._http.server_close()
