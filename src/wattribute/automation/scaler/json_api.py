"""Serve decisions as JSON for KEDA's ``metrics-api`` trigger, and ``/metrics`` and ``/healthz``.

The URL names the demand, and KEDA does not identify the caller. So only policies in the
operator's ``scaler.policies`` are served: ``GET /api/v1/scale/NAMESPACE/NAME``.
"""

import json
from collections.abc import Mapping
from concurrent.futures import wait
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wattribute.automation.scaler import metrics
from wattribute.automation.scaler.engine import Reference, ScalingEngine, TooMany
from wattribute.automation.scaler.watch import CarbonWatch
from wattribute.automation.settings import ScalerSettings
from wattribute.core.errors import ConfigInvalid
from wattribute.http.access import Access
from wattribute.http.listen import Address
from wattribute.http.message import GET_ONLY, NO_SNIFFING, HttpRequest, Response
from wattribute.http.negotiation import TEXT
from wattribute.http.server import Server
from wattribute.http.tls import server_context

if TYPE_CHECKING:
    import ssl

_PREFIX: Final = "/api/v1/scale/"


class JsonApi:
    """An HTTP server with the scaler's decisions."""

    def __init__(
        self,
        engine: ScalingEngine,
        carbon: CarbonWatch,
        policies: Mapping[str, Reference],
        settings: ScalerSettings,
    ) -> None:
        """Check the settings; `start` listens.

        Args:
            engine: Where decisions come from.
            carbon: The intensities that ``/metrics`` shows.
            policies: The policies that are served, by ``namespace/name``.
            settings: The address, the token and the TLS files.

        Raises:
            ConfigInvalid: The token's file or the TLS files are wrong.
        """
        self._engine, self._carbon, self._policies = engine, carbon, policies
        self._first_s = settings.timeout + 1
        self._needs_token = bool(settings.token_file)
        tokens = {"scaler.token_file": Path(settings.token_file)} if self._needs_token else {}
        self._access = Access(tls=_tls(settings), tokens=tokens)
        self._server = Server((settings.json_listen,), self._answer, self._access.secured)

    @property
    def address(self) -> Address:
        """Where it listens after `start`, with a port of 0 filled in."""
        return self._server.addresses[0]

    def start(self) -> None:
        """Listen, and answer in threads.

        Raises:
            ConfigInvalid: The address is wrong.
            ListenFailed: The address cannot be listened on.
        """
        self._server.start()

    def close(self) -> None:
        """Stop answering; also without a `start` before."""
        self._server.stop()

    def _answer(self, request: HttpRequest) -> Response:
        if request.method not in ("GET", "HEAD"):
            return GET_ONLY
        if request.path == "/healthz":
            return Response(HTTPStatus.OK, b"ok\n", headers=(NO_SNIFFING,))
        if request.path == "/metrics":
            lines = metrics.text(self._engine.all(), self._carbon.values(), self._engine.refusals)
            return Response(HTTPStatus.OK, "".join(lines).encode(), TEXT, (NO_SNIFFING,))
        if request.path.startswith(_PREFIX):
            return self._scale(request)
        return _error(HTTPStatus.NOT_FOUND, f"no such path; use {_PREFIX}NAMESPACE/NAME")

    def _scale(self, request: HttpRequest) -> Response:
        if self._needs_token and not self._access.tokens(request.headers.get("authorization", "")):
            return _error(
                HTTPStatus.UNAUTHORIZED,
                "the header Authorization: Bearer TOKEN is missing or wrong",
            )
        reference = self._policies.get(request.path.removeprefix(_PREFIX))
        if reference is None:
            return _error(HTTPStatus.NOT_FOUND, "no such policy in scaler.policies")
        return self._decision(reference)

    def _decision(self, reference: Reference) -> Response:
        try:
            scaled = self._engine.find(reference)
        except (ConfigInvalid, TooMany) as exc:
            return _error(HTTPStatus.SERVICE_UNAVAILABLE, str(exc))
        if scaled.decision is None:
            wait([self._engine.first(scaled)], self._first_s)
        decision = scaled.decision
        if decision is None:
            return _error(
                HTTPStatus.SERVICE_UNAVAILABLE, f"no first decision within {self._first_s:g} s"
            )
        return _json(
            HTTPStatus.OK,
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


def _error(status: HTTPStatus, text: str) -> Response:
    return _json(status, {"error": text})


def _json(status: HTTPStatus, body: Mapping[str, object]) -> Response:
    text = json.dumps(body) + "\n"
    return Response(status, text.encode(), "application/json", (NO_SNIFFING,))


def _tls(settings: ScalerSettings) -> "ssl.SSLContext | None":
    if not settings.tls_cert:
        return None
    cert, key = Path(settings.tls_cert), Path(settings.tls_key)
    return server_context(cert, key, ("scaler.tls_cert", "scaler.tls_key"))
