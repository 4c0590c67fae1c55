"""The same decisions as JSON, for KEDA's ``metrics-api`` trigger; and ``/metrics``, ``/healthz``.

A URL says whose demand is read, and KEDA does not say who asks. So only policies that the operator
has put into ``scaler.policies`` are served: ``GET /api/v1/scale/NAMESPACE/NAME``.
"""

import hmac
import json
import logging
import ssl
import threading
from collections.abc import Mapping
from concurrent.futures import wait
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wattribute.automation.scaler import metrics
from wattribute.automation.scaler.engine import Engine, Reference, TooMany
from wattribute.automation.scaler.watch import CarbonWatch
from wattribute.automation.settings import ScalerSettings
from wattribute.core.errors import ConfigInvalid
from wattribute.http.listen import Address, bind

if TYPE_CHECKING:
    import socket

_LOG: Final = logging.getLogger(__name__)
_PREFIX: Final = "/api/v1/scale/"
_CLIENT_S: Final = 10
"""A client that is slower is let go."""
_CONNECTIONS: Final = 100


class JsonApi:
    """One HTTP server in its own threads."""

    def __init__(
        self,
        engine: Engine,
        carbon: CarbonWatch,
        policies: Mapping[str, Reference],
        settings: ScalerSettings,
    ) -> None:
        """Bind, without answering yet.

        Args:
            engine: Who decides.
            carbon: For ``/metrics``.
            policies: By ``namespace/name``.
            settings: The settings.

        Raises:
            ConfigInvalid: the address, the token's file or the TLS files are wrong.
            ListenFailed: the address cannot be listened on.
        """
        self._engine, self._carbon, self._policies = engine, carbon, policies
        self._first_s = settings.timeout + 1
        self._token = _token(settings.token_file)
        listener = bind(settings.json_listen)
        listener.setblocking(True)  # noqa: FBT003 - the socket module's signature
        self.address = Address.of(listener)
        self._http = _Http(listener, self)
        if settings.tls_cert:
            self._http.context = _context(settings)
        self._thread = threading.Thread(
            target=self._http.serve_forever, args=(0.1,), name="json", daemon=True
        )

    def start(self) -> None:
        """Answer."""
        self._thread.start()

    def close(self) -> None:
        """End."""
        if self._thread.is_alive():
            self._http.shutdown()
        self._http.server_close()

    def answer(self, path: str, authorization: str) -> tuple[int, str, str]:
        """Status, content type and body."""
        path = path.partition("?")[0]
        if path == "/healthz":
            return 200, "text/plain", "ok\n"
        if path == "/metrics":
            lines = metrics.text(self._engine.all(), self._carbon.values(), self._engine.refusals)
            return 200, "text/plain; version=0.0.4", "".join(lines)
        if not path.startswith(_PREFIX):
            return _json(404, {"error": f"nothing here; ask {_PREFIX}NAMESPACE/NAME"})
        if self._token and not hmac.compare_digest(
            authorization.encode(), b"Bearer " + self._token
        ):
            return _json(401, {"error": "needs the header Authorization: Bearer TOKEN"})
        reference = self._policies.get(path.removeprefix(_PREFIX))
        if reference is None:
            return _json(404, {"error": "no such policy in scaler.policies"})
        return self._scale(reference)

    def _scale(self, reference: Reference) -> tuple[int, str, str]:
        try:
            scaled = self._engine.find(reference)
        except (ConfigInvalid, TooMany) as exc:
            return _json(503, {"error": str(exc)})
        if scaled.decision is None:
            wait([self._engine.first(scaled)], self._first_s)
        decision = scaled.decision
        if decision is None:
            return _json(503, {"error": f"no first decision within {self._first_s:g} s"})
        return _json(
            200,
            {
                "value": decision.value,
                "target": scaled.policy.target,
                "demand": decision.demand,
                "desired_replicas": decision.desired_replicas,
                "allowed_replicas": decision.allowed_replicas,
                "policy": scaled.policy.kind,
                "reason": decision.reason.value,
                "detail": decision.detail,
                "dry_run": scaled.policy.dry_run,
            },
        )


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "wattribute"
    sys_version = ""
    timeout = _CLIENT_S
    server: "_Http"

    def do_GET(self) -> None:
        status, kind, body = self.server.api.answer(
            self.path, self.headers.get("Authorization", "")
        )
        data = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        _LOG.debug(format, *args)


class _Http(ThreadingHTTPServer):
    """Takes a socket that is bound already; the handshake is in the connection's own thread."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, listener: "socket.socket", api: JsonApi) -> None:
        super().__init__(listener.getsockname()[:2], _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        self.api = api
        self.context: ssl.SSLContext | None = None
        self._settings = threading.BoundedSemaphore(_CONNECTIONS)

    def process_request_thread(self, request: object, client_address: object) -> None:
        if not self._settings.acquire(blocking=False):
            self.shutdown_request(request)  # type: ignore[arg-type]
            return
        try:
            request.settimeout(_CLIENT_S)  # type: ignore[attr-defined]
            if self.context is not None:
                request = self.context.wrap_socket(request, server_side=True)  # type: ignore[arg-type]
            super().process_request_thread(request, client_address)  # type: ignore[arg-type]
        except OSError as exc:
            _LOG.debug("json: a connection broke: %s", exc)
        finally:
            self._settings.release()

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002 - the base's
        """A client that hangs up is nobody's business; anything else is our bug."""
        _LOG.debug("json: a request broke off", exc_info=True)


def _json(status: int, body: Mapping[str, object]) -> tuple[int, str, str]:
    return status, "application/json", json.dumps(body) + "\n"


def _token(path: str) -> bytes:
    if not path:
        return b""
    try:
        token = Path(path).read_bytes().strip()
    except OSError as exc:
        raise ConfigInvalid(f"scaler.token_file: {path}: cannot be read: {exc.strerror}") from exc
    if len(token) < 16:
        raise ConfigInvalid(f"scaler.token_file: {path}: a token has at least 16 characters")
    return token


def _context(settings: ScalerSettings) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(settings.tls_cert, settings.tls_key or None)
    except (OSError, ssl.SSLError) as exc:
        raise ConfigInvalid(
            f"scaler.tls_cert {settings.tls_cert}, scaler.tls_key {settings.tls_key}: {exc}"
        ) from exc
    return context
