"""Paths -> answers. Nothing here collects: it shows the newest snapshot."""

from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qs

import msgspec

from wattribute.core.clock import Clock
from wattribute.core.records import Snapshot
from wattribute.core.units import NANOSECONDS_PER_SECOND, seconds
from wattribute.http.message import GET_ONLY, NO_SNIFFING, HttpRequest, Response
from wattribute.http.negotiation import OPENMETRICS, TEXT, accepts_gzip, wants_openmetrics
from wattribute.node.exporter import health, page
from wattribute.node.exporter.api.document import document
from wattribute.node.exporter.bodies import MetricsBodies, compressed
from wattribute.node.exporter.disclosure import Disclosure
from wattribute.node.exporter.families import kepler_families, metrics_families
from wattribute.node.exporter.family import Family
from wattribute.node.exporter.kepler.nodes_0_11 import BUILD_INFO
from wattribute.node.exporter.scene import NodeLabels
from wattribute.node.settings import ExporterSettings

_STALE_NS: Final = 30 * NANOSECONDS_PER_SECOND
"""A snapshot may be this old, or three intervals, whichever is longer."""
_OPEN: Final = frozenset({"/healthz", "/readyz"})
"""Without basic auth: probes carry no credentials, and these tell nothing else."""
_JSON: Final = "application/json"
_NO_STORE: Final = ("Cache-Control", "no-store")
_API_BODIES: Final = 8
"""How many different numbers of process rows are cached."""


class Site:
    """What the agent answers."""

    def __init__(
        self,
        settings: ExporterSettings,
        source: Callable[[], Snapshot | None],
        disclosure: Disclosure,
        node: NodeLabels,
        clock: Clock,
    ) -> None:
        """``source`` gives the newest snapshot; None before the first."""
        self._settings = settings
        self._source = source
        self._disclosure = disclosure
        self._access = disclosure.access
        self._node = node
        self._clock = clock
        self._started_ns = clock.monotonic_ns()
        self._metrics = MetricsBodies(self._metrics_families, node, settings.pod_labels)
        self._kepler_011 = MetricsBodies(self._newer, node, settings.pod_labels)
        self._api: tuple[Snapshot, dict[int | None, bytes]] | None = None
        self._routes: dict[str, Callable[[HttpRequest], Response]] = {
            "/": self._page,
            "/metrics": lambda request: self._exposition(request, self._metrics),
            "/metrics/kepler-0.11": lambda request: self._exposition(request, self._kepler_011),
            "/healthz": self._healthz,
            "/readyz": self._readyz,
            "/api/v1/snapshot": self._snapshot,
        }

    def answer(self, request: HttpRequest) -> Response:
        """The answer to a request; never raises for what a client sent."""
        response = self._answer(request)
        headers = dict([NO_SNIFFING])
        headers.update(response.headers)
        headers.update(self._access.headers)
        return Response(
            response.status, response.body, response.content_type, tuple(headers.items())
        )

    def _answer(self, request: HttpRequest) -> Response:
        if request.path not in _OPEN and not self._access.allows(
            request.headers.get("authorization", "")
        ):
            challenge = (("WWW-Authenticate", 'Basic realm="wattribute"'),)
            return Response(HTTPStatus.UNAUTHORIZED, b"unauthorized\n", headers=challenge)
        route = self._routes.get(request.path)
        if route is None:
            return _text(HTTPStatus.NOT_FOUND, f"not here; there are {', '.join(self._routes)}")
        if request.method not in ("GET", "HEAD"):
            return GET_ONLY
        return route(request)

    def _metrics_families(self, processes: bool, stale: bool) -> Sequence[Family]:  # noqa: FBT001
        if stale:
            return health.FAMILIES
        with_processes = processes and self._settings.processes
        return metrics_families(self._settings.metrics, processes=with_processes)

    def _newer(self, processes: bool, stale: bool) -> Sequence[Family]:  # noqa: FBT001
        if stale:
            return (BUILD_INFO,)
        with_processes = processes and self._settings.processes
        return kepler_families("kepler-0.11", processes=with_processes)

    def _exposition(self, request: HttpRequest, bodies: MetricsBodies) -> Response:
        snapshot = self._source()
        if snapshot is None:
            return _text(HTTPStatus.SERVICE_UNAVAILABLE, "no reading yet")
        openmetrics = wants_openmetrics(request.headers.get("accept", ""))
        gzip = accepts_gzip(request.headers.get("accept-encoding", ""))
        body = bodies.body(
            snapshot,
            processes=self._disclosure.shows_processes,
            stale=self._is_stale(snapshot),
            openmetrics=openmetrics,
            gzip=gzip,
        )
        encoding = (("Content-Encoding", "gzip"),) if gzip else ()
        headers = (*encoding, ("Vary", "Accept, Accept-Encoding"))
        return Response(HTTPStatus.OK, body, OPENMETRICS if openmetrics else TEXT, headers)

    def _age_ns(self, snapshot: Snapshot) -> int:
        return max(0, self._clock.monotonic_ns() - snapshot.at_ns)

    def _is_stale(self, snapshot: Snapshot) -> bool:
        return self._age_ns(snapshot) > max(3 * snapshot.interval_ns, _STALE_NS)

    def _healthz(self, _: HttpRequest) -> Response:
        """Alive: a fresh snapshot, or still in the time in which the first one may come."""
        snapshot = self._source()
        if snapshot is None:
            waited_ns = self._clock.monotonic_ns() - self._started_ns
            if waited_ns > _STALE_NS:
                return _text(
                    HTTPStatus.SERVICE_UNAVAILABLE, f"no reading after {seconds(waited_ns):.0f} s"
                )
        elif self._is_stale(snapshot):
            age_s = seconds(self._age_ns(snapshot))
            return _text(HTTPStatus.SERVICE_UNAVAILABLE, f"the last reading is {age_s:.0f} s old")
        return _text(HTTPStatus.OK, "ok")

    def _readyz(self, _: HttpRequest) -> Response:
        if self._source() is None:
            return _text(HTTPStatus.SERVICE_UNAVAILABLE, "no reading yet")
        return _text(HTTPStatus.OK, "ok")

    def _snapshot(self, request: HttpRequest) -> Response:
        snapshot = self._source()
        if snapshot is None:
            return _text(HTTPStatus.SERVICE_UNAVAILABLE, "no reading yet")
        limit = parse_qs(request.query).get("processes", [""])[-1]
        if limit and not (limit.isascii() and limit.isdigit()):
            return _text(HTTPStatus.BAD_REQUEST, f"processes={limit!r}: not a whole number")
        most = None
        if self._disclosure.shows_processes:
            most = min(int(limit[:9]), len(snapshot.processes.pid)) if limit else -1
        body = self._api_body(snapshot, most)
        if accepts_gzip(request.headers.get("accept-encoding", "")):
            headers = (("Content-Encoding", "gzip"), ("Vary", "Accept-Encoding"))
            return Response(HTTPStatus.OK, compressed((body,)), _JSON, (*headers, _NO_STORE))
        return Response(HTTPStatus.OK, body, _JSON, (("Vary", "Accept-Encoding"), _NO_STORE))

    def _api_body(self, snapshot: Snapshot, most: int | None) -> bytes:
        """The JSON, made once per snapshot for each number of rows that clients ask for."""
        cached = self._api
        if cached is None or cached[0] is not snapshot:
            cached = self._api = (snapshot, {})
        stale = self._is_stale(snapshot)
        body = cached[1].get(most)
        if body is None or stale:
            processes = len(snapshot.processes.pid) if most == -1 else most
            body = msgspec.json.encode(
                document(
                    snapshot,
                    self._node,
                    self._node.version,
                    age_s=seconds(self._age_ns(snapshot)),
                    stale=stale,
                    processes=processes,
                )
            )
            if len(cached[1]) < _API_BODIES:
                cached[1][most] = body
        return body

    def _page(self, _: HttpRequest) -> Response:
        body, policy = page.load()
        headers = (
            ("Content-Security-Policy", policy),
            ("Referrer-Policy", "no-referrer"),
            ("X-Frame-Options", "DENY"),
            ("Cache-Control", "no-cache"),
        )
        return Response(HTTPStatus.OK, body, "text/html; charset=utf-8", headers)


def _text(status: HTTPStatus, line: str) -> Response:
    return Response(status, f"{line}\n".encode())
