"""Asks a Prometheus-compatible HTTP API: Prometheus, Thanos, Mimir, VictoriaMetrics."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from typing import Final, NoReturn, Self
from urllib.parse import urlsplit

import msgspec

from wattribute.accounting.promql.matrix import MatrixReader, SampleSeries, check_envelope
from wattribute.accounting.settings import LedgerSettings
from wattribute.core.errors import (
    ConfigInvalid,
    SourceDenied,
    SourceFailed,
    SourceInterrupted,
    SourceLimited,
)
from wattribute.http.httpx_client import HttpxClient, Reply
from wattribute.http.tls import client_context
from wattribute.http.tokens import secret_in

_LOG = logging.getLogger(__name__)

_WHOLE_ONLY: Final = {"partial_response": "false", "deny_partial_response": "1", "dedup": "true"}
"""Thanos' and VictoriaMetrics' words for "all or an error"; others ignore them."""
_AGAIN: Final = frozenset({429, 500, 502, 503, 504})
_WAITS_S: Final = (1.0, 3.0, 10.0)
_CHUNK: Final = 1 << 20
_LARGEST: Final = 1 << 30
"""Bytes of an instant query's answer; raw samples are read as they come."""
_LIMITS: Final = ("too many", "limit", "exceed", "maximum", "timed out", "too large", "-search.max")
"""Words in the errors of servers that will not answer so much at once."""


class _Row(msgspec.Struct):
    metric: dict[str, str]
    value: tuple[float, str]


class _Data(msgspec.Struct):
    result: list[_Row]


class _Vector(msgspec.Struct):
    data: _Data


class Prometheus:
    """One API, and how it wants to be asked."""

    def __init__(
        self,
        settings: LedgerSettings,
        *,
        sleep: Callable[[float], None] = time.sleep,
        waits_s: Sequence[float] = _WAITS_S,
    ) -> None:
        """Not asked yet.

        Args:
            settings: Where it is, and who asks.
            sleep: Waits.
            waits_s: Seconds before each further try; none: a question is asked once.

        Raises:
            ConfigInvalid: no address, or a file that is named cannot be read.
        """
        url = urlsplit(settings.prometheus_url)
        if url.scheme not in ("http", "https") or not url.hostname:
            raise ConfigInvalid(
                f"ledger.prometheus_url: {settings.prometheus_url!r} is no address; "
                "it must be http://HOST:PORT or https://HOST, as in a browser"
            )
        port = f":{url.port}" if url.port else ""
        self.name = f"{url.scheme}://{url.hostname}{port}{url.path}"
        self._settings = settings
        self._sleep = sleep
        self._waits_s = tuple(waits_s)
        self._client = HttpxClient(
            timeout_s=settings.timeout, context=client_context(settings.ca_file, "ledger.ca_file")
        )
        self._endpoint = settings.prometheus_url.rstrip("/") + "/api/v1/query"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def vector(self, query: str, at_s: float) -> list[tuple[dict[str, str], float]]:
        """Labels and value of each series of an instant query.

        Raises:
            SourceLimited: the server will not answer so much at once.
            SourceDenied: it does not let us ask.
            SourceInterrupted: the connection broke while the answer came in.
            SourceFailed: no answer, or not all of it.
        """
        with self._open(query, at_s) as reply, self._with_name():
            body = reply.read(_LARGEST)
            check_envelope(body)
            try:
                answer = msgspec.json.decode(body, type=_Vector)
            except msgspec.DecodeError as exc:
                raise SourceFailed(f"no answer of the query API: {exc}") from exc
        return [(row.metric, float(row.value[1])) for row in answer.data.result]

    def raw(self, selector: str, start_s: float, end_s: float) -> Iterator[SampleSeries]:
        """Raw samples in [start_s, end_s], series by series as they come in.

        When this raises, what it gave before is right but not all; ask again.

        Raises:
            SourceLimited: the server will not answer so much at once.
            SourceDenied: it does not let us ask.
            SourceInterrupted: the connection broke while the answer came in.
            SourceFailed: no answer, or not all of it.
        """
        query = f"{selector}[{max(round(end_s - start_s), 1)}s]"
        reader = MatrixReader()
        with self._open(query, end_s) as reply, self._with_name():
            for data in reply.pieces(_CHUNK):
                yield from reader.feed(data)
            yield from reader.close()

    @contextmanager
    def _with_name(self) -> Iterator[None]:
        """Let failures say which service it was."""
        try:
            yield
        except SourceInterrupted as exc:
            raise SourceInterrupted(f"{self.name}: {exc}") from exc
        except SourceFailed as exc:
            raise SourceFailed(f"{self.name}: {exc}") from exc

    def _open(self, query: str, at_s: float) -> Reply:
        """An answer whose body is not read yet; asked again where that may help."""
        problem = ""
        for wait_s in (*self._waits_s, None):
            try:
                reply = self._send(query, at_s)
            except SourceFailed as exc:
                problem = f"cannot be asked: {exc}"
            else:
                if reply.status == HTTPStatus.OK:
                    return reply
                problem = self._refusal(reply)
            if wait_s is not None:
                _LOG.info("%s: %s; asking again in %.0f s", self.name, problem, wait_s)
                self._sleep(wait_s)
        raise SourceFailed(f"{self.name}: {problem}")

    def _send(self, query: str, at_s: float) -> Reply:
        return self._client.send(
            "POST",
            self._endpoint,
            form={"query": query, "time": f"{at_s:.3f}", **_WHOLE_ONLY},
            headers=self._headers(),
            auth=self._auth(),
        )

    def _headers(self) -> dict[str, str]:
        settings = self._settings
        headers = {"Accept-Encoding": "identity"}
        if settings.tenant:
            headers.update({"X-Scope-OrgID": settings.tenant, "THANOS-TENANT": settings.tenant})
        if settings.bearer_token_file:
            token = secret_in(settings.bearer_token_file, "ledger.bearer_token_file")
            headers["Authorization"] = f"Bearer {token}"
        return headers

    def _auth(self) -> tuple[str, str] | None:
        settings = self._settings
        if not settings.username:
            return None
        return settings.username, secret_in(settings.password_file, "ledger.password_file")

    def _refusal(self, reply: Reply) -> str:
        """What an answer says that is no result, if asking again may help; else raises."""
        with reply, self._with_name():
            text = _error_of(reply.read(_LARGEST))
        status = reply.status
        refusal = f"{self.name}: status {status}: {text}"
        if status in (401, 403):
            raise SourceDenied(
                f"{refusal}; give ledger.bearer_token_file, or ledger.username and password_file"
            )
        if status in (413, 422, 503) and any(word in text.lower() for word in _LIMITS):
            raise SourceLimited(refusal)
        if status not in _AGAIN:
            _refuse(refusal, status, text)
        return f"status {status}: {text}"


def _refuse(refusal: str, status: int, text: str) -> NoReturn:
    hint = ""
    if status == HTTPStatus.NOT_FOUND:
        hint = "; the address must end where /api/v1 begins (Mimir: /prometheus; vmselect: "
        hint += "/select/0/prometheus)"
    elif "org id" in text.lower():
        hint = "; give ledger.tenant"
    raise SourceFailed(f"{refusal}{hint}")


def _error_of(body: bytes) -> str:
    """The API's own words for an error; the beginning of whatever else it sent."""
    try:
        answer = msgspec.json.decode(body, type=dict[str, object])
    except msgspec.DecodeError:
        answer = {}
    text = str(answer.get("error") or body[:200].decode(errors="replace"))
    return " ".join(text.split())[:300] or "no word"
