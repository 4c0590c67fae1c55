"""The routes of the model server.

| | |
|---|---|
| ``GET /api/v1/models`` | all models; with a machine's description (``?cpu_name=...``) the best first, and how well each knows it |
| ``GET /api/v1/model?cpu_name=...`` | the artefact of the best model |
| ``GET /api/v1/models/SHA256`` | the artefact with this digest; with ``.sig``, its signature |
| ``GET /api/v1/weights`` | all documents of pooled weights; with ``?cpu_name=...`` the newest one of that CPU |
| ``GET /api/v1/weights/SHA256`` | the document with this digest; with ``.sig``, its signature |
| ``POST /api/v1/recordings`` | puts a recording into quarantine; needs a token |
| ``POST /model``, ``GET /best-models`` | the requests of Kepler up to 0.9 |
| ``/healthz`` ``/readyz`` ``/metrics`` | for Kubernetes and Prometheus |
"""  # noqa: E501 - a table

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import fields
from typing import Any, Final

from msgspec import json as msgspec_json
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from wattribute.core.errors import DataInvalid
from wattribute.core.records import Machine
from wattribute.http import credentials
from wattribute.http.access import Access
from wattribute.models.modelserver import kepler
from wattribute.models.modelserver.catalogue import Catalogue, Match, ServedModel
from wattribute.models.modelserver.quarantine import Quarantine
from wattribute.models.modelserver.watched_folder import ServedFile
from wattribute.models.modelserver.weights import WeightCatalogue, about
from wattribute.node.estimator.cpu_names import cpu_key
from wattribute.node.estimator.power_recording import MAX_BYTES

_LOG: Final = logging.getLogger(__name__)
_BODY_S: Final = 10.0
"""The longest time that a body may take, in seconds."""
_LONGEST: Final = 200
_OPEN: Final = ("/healthz", "/readyz")
POSTING_TOKEN: Final = "--token-file"  # noqa: S105 - an option
"""The option that names the token for posting, which is good for reading as well."""
_NUMBER: Final = {field.name for field in fields(Machine) if field.type is int}
_FIELDS: Final = {field.name for field in fields(Machine)}

_Handler = Callable[[Request], Awaitable[Response]]


class ModelService:
    """The handlers of all routes, and the counters of their answers."""

    def __init__(
        self,
        catalogue: Catalogue,
        weights: WeightCatalogue,
        quarantine: Quarantine | None,
        access: Access,
        *,
        open_reads: bool,
    ) -> None:
        """Take what the handlers need.

        Args:
            catalogue: The models.
            weights: The pooled weights.
            quarantine: Where recordings are stored; None refuses them.
            access: The tokens, by option. Posting always needs that of `POSTING_TOKEN`.
            open_reads: Whether models can be read without a token.
        """
        self._catalogue, self._weights, self._quarantine = catalogue, weights, quarantine
        self.access: Final = access
        self._open_reads = open_reads
        self._answers: Counter[tuple[str, int]] = Counter()

    def app(self) -> Starlette:
        """Return the ASGI application."""
        get, post = ["GET"], ["POST"]
        table: list[tuple[str, list[str], _Handler]] = [
            ("/api/v1/models", get, self._models),
            ("/api/v1/models/{name}", get, self._by_digest),
            ("/api/v1/model", get, self._best),
            ("/api/v1/weights", get, self._pooled_weights),
            ("/api/v1/weights/{name}", get, self._weights_by_digest),
            ("/api/v1/recordings", post, self._record),
            ("/model", post, self._kepler_model),
            ("/best-models", get, self._kepler_list),
            ("/metrics", get, self._metrics),
            ("/healthz", get, self._alive),
            ("/readyz", get, self._alive),
        ]
        return Starlette(
            routes=[Route(path, self._guarded(path, h), methods=m) for path, m, h in table]
        )

    def _guarded(self, path: str, handler: _Handler) -> _Handler:
        """Wrap a handler so that the token is checked and its answers are counted."""

        async def guarded(request: Request) -> Response:
            tokens = self.access.tokens(request.headers.get("authorization", ""))
            if path == "/api/v1/recordings":
                allowed = POSTING_TOKEN in tokens
            else:
                allowed = path in _OPEN or self._open_reads or bool(tokens)
            if allowed:
                try:
                    answer = await handler(request)
                except DataInvalid as exc:
                    answer = _line(400, str(exc))
                except (TimeoutError, ClientDisconnect):
                    answer = _line(408, f"no whole body in {_BODY_S:g} s")
            else:
                await asyncio.sleep(credentials.FAILURE_DELAY_S)
                answer = _line(401, "needs the header Authorization: Bearer TOKEN")
                answer.headers["WWW-Authenticate"] = "Bearer"
            answer.headers["X-Content-Type-Options"] = "nosniff"
            self._answers[path, answer.status_code] += 1
            return answer

        return guarded

    async def _models(self, request: Request) -> Response:
        if request.query_params:
            machine = machine_of(request.query_params)
            matches = await run_in_threadpool(self._catalogue.ranked, machine)
            models = [_about(match.entry) | _knows(match) for match in matches]
            return _json({"models": models})
        entries = await run_in_threadpool(self._catalogue.entries)
        return _json({"models": [_about(entry) for entry in entries]})

    async def _best(self, request: Request) -> Response:
        machine = machine_of(request.query_params)
        best = (await run_in_threadpool(self._catalogue.ranked, machine))[0]
        answer = _file(request, best.entry, "", "")
        answer.headers["X-Wattribute-Known"] = best.basis
        return answer

    async def _by_digest(self, request: Request) -> Response:
        digest, suffix = _digest(request)
        entry = await run_in_threadpool(self._catalogue.by_digest, digest)
        return _file(request, entry, suffix, "no such model; GET /api/v1/models lists them")

    async def _pooled_weights(self, request: Request) -> Response:
        if not request.query_params:
            entries = await run_in_threadpool(self._weights.entries)
            return _json({"weights": [about(entry) for entry in entries]})
        key = cpu_key(machine_of(request.query_params).cpu_name)
        entry = await run_in_threadpool(self._weights.of_cpu, key)
        missing = f"no pooled weights of {key or 'a CPU without a known name'}"
        return _file(request, entry, "", f"{missing}; GET /api/v1/weights lists them")

    async def _weights_by_digest(self, request: Request) -> Response:
        digest, suffix = _digest(request)
        entry = await run_in_threadpool(self._weights.by_digest, digest)
        return _file(request, entry, suffix, "no such weights; GET /api/v1/weights lists them")

    async def _record(self, request: Request) -> Response:
        if self._quarantine is None:
            return _line(403, "recordings are not taken here; see --quarantine")
        body = await _body(request)
        if body is None:
            return _line(413, f"a recording has at most {MAX_BYTES} bytes")
        try:
            state, digest = await run_in_threadpool(self._quarantine.put, body)
        except OSError as exc:
            _LOG.error("quarantine: %s", exc)
            return _line(507, "it cannot be kept; see the server's log")
        if state == "full":
            return _line(507, "the quarantine is full; somebody must look at it first")
        _LOG.info("quarantine: %s recording %s", state, digest)
        return _json({"sha256": digest, "state": state}, 201 if state == "new" else 200)

    async def _kepler_model(self, request: Request) -> Response:
        body = await _body(request)
        if body is None:
            return _line(413, "too large")
        wanted_model = kepler.read_request(body)
        machine = kepler.machine_of(wanted_model.machine_spec or wanted_model.spec)
        best = (await run_in_threadpool(self._catalogue.ranked, machine))[0]
        artefact = best.entry.content
        return _json(await run_in_threadpool(kepler.weights, artefact, machine, wanted_model))

    async def _kepler_list(self, request: Request) -> Response:
        ask = request.query_params
        entries = await run_in_threadpool(self._catalogue.entries)
        output = ask.get("ot") or ask.get("output-type")
        group = ask.get("fg") or ask.get("feature-group")
        return _json(kepler.best_models(entries[0].content, output, group))

    async def _alive(self, _: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def _metrics(self, _: Request) -> Response:
        models = len(await run_in_threadpool(self._catalogue.entries))
        weights = len(await run_in_threadpool(self._weights.entries))
        waiting = await run_in_threadpool(self._quarantine.count) if self._quarantine else 0
        lines = [
            "# HELP wattribute_modelserver_models Models that are served.",
            "# TYPE wattribute_modelserver_models gauge",
            f"wattribute_modelserver_models {models}",
            "# HELP wattribute_modelserver_weights Documents of pooled weights that are served.",
            "# TYPE wattribute_modelserver_weights gauge",
            f"wattribute_modelserver_weights {weights}",
            "# HELP wattribute_modelserver_weights_refused Files that are no pooled weights.",
            "# TYPE wattribute_modelserver_weights_refused gauge",
            f"wattribute_modelserver_weights_refused {self._weights.refused}",
            "# HELP wattribute_modelserver_models_refused Files in the folder that are none.",
            "# TYPE wattribute_modelserver_models_refused gauge",
            f"wattribute_modelserver_models_refused {self._catalogue.refused}",
            "# HELP wattribute_modelserver_quarantined Recordings that wait to be accepted.",
            "# TYPE wattribute_modelserver_quarantined gauge",
            f"wattribute_modelserver_quarantined {waiting}",
            "# HELP wattribute_modelserver_answers_total Answers, by route and status.",
            "# TYPE wattribute_modelserver_answers_total counter",
        ]
        for (route, status), count in sorted(self._answers.items()):
            labels = f'route="{route}",status="{status}"'
            lines.append(f"wattribute_modelserver_answers_total{{{labels}}} {count}")
        return PlainTextResponse("\n".join(lines) + "\n", media_type="text/plain; version=0.0.4")


def machine_of(query: Mapping[str, str]) -> Machine:
    """Return the machine that a query describes. Facts that it does not have are not known.

    Raises:
        DataInvalid: A key or a value is not valid, or the query does not describe a CPU.
    """
    values: dict[str, Any] = {}
    for key, text in query.items():
        if key not in _FIELDS:
            raise DataInvalid(f"unknown key {key[:40]!r}; known: {', '.join(sorted(_FIELDS))}")
        if key in _NUMBER:
            if not (text.isascii() and text.isdigit() and len(text) <= 16):
                raise DataInvalid(f"{key}: {text[:40]!r} is no whole number")
            values[key] = int(text)
        elif len(text) > _LONGEST or not text.isprintable():
            raise DataInvalid(f"{key}: not one line of {_LONGEST} characters")
        else:
            values[key] = text
    needed = ("cpu_name", "family", "model", "instance_type")
    if not any(values.get(key) for key in needed):
        raise DataInvalid(f"a machine's description needs one of {', '.join(needed)}")
    for key in ("packages", "cores", "threads"):
        values[key] = max(1, values.get(key, 1))
    return Machine(**values)


async def _body(request: Request) -> bytes | None:
    """Read the body; None if it is too large."""
    body = bytearray()
    async with asyncio.timeout(_BODY_S):
        async for piece in request.stream():
            body += piece
            if len(body) > MAX_BYTES:
                return None
    return bytes(body)


def _digest(request: Request) -> tuple[str, str]:
    """Return the digest that a path names, and ``sig`` where its signature is asked for."""
    digest, _, suffix = request.path_params["name"].partition(".")
    return digest.lower(), suffix


def _file(request: Request, entry: ServedFile[Any] | None, suffix: str, missing: str) -> Response:
    """Return a file or its signature; 404 with the line ``missing`` where there is none."""
    if entry is None or suffix not in ("", "sig") or (suffix and not entry.signature):
        return _line(404, missing)
    if suffix:
        return Response(entry.signature, media_type="application/octet-stream")
    headers = {"ETag": f'"{entry.digest}"', "Cache-Control": "no-cache"}
    if f'"{entry.digest}"' in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(entry.data, media_type="application/json", headers=headers)


def _about(entry: ServedModel) -> dict[str, Any]:
    artefact = entry.content
    return {
        "name": entry.name,
        "model": artefact.model,
        "version": artefact.version,
        "sha256": entry.digest,
        "bytes": len(entry.data),
        "signed": bool(entry.signature),
        "recorded_cpus": sorted(artefact.fleet.cpu) if artefact.fleet else [],
    }


def _knows(match: Match) -> dict[str, Any]:
    return {
        "known": match.basis,
        "cpu": match.cpu,
        "microarchitecture": match.microarchitecture,
        "not_known": list(match.why),
    }


def _json(body: object, status: int = 200) -> Response:
    return Response(msgspec_json.encode(body), status, media_type="application/json")


def _line(status: int, text: str) -> Response:
    return PlainTextResponse(f"{text}\n", status)
