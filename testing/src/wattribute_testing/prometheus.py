"""A Prometheus that answers what the ledger asks, over HTTP, from series in memory.

Not PromQL: it knows a selector with a range, and the two instant queries that name nodes. What a
real server does beyond that is tested against real servers.
"""

import json
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs

_MATCHER = re.compile(r'(\w+)(=~|=)"((?:[^"\\]|\\.)*)"')
_RANGE = re.compile(r"(?:\{(.*)\})?\)?\[(\d+)s(?::\d+s)?\]", re.DOTALL)
_BY = re.compile(r"by \(([^)]*)\)")


@dataclass(frozen=True, slots=True)
class MadeSeries:
    """One series: labels with ``__name__``, and samples (Unix seconds, value as text)."""

    labels: Mapping[str, str]
    samples: Sequence[tuple[float, str]]


@dataclass(slots=True)
class Fault:
    """An answer that the server gives instead of a right one, once."""

    status: int = 200
    body: bytes = b""
    keep_bytes: int = -1
    """Cut the right answer off after so many bytes; -1: ``body`` is the answer."""
    more: Mapping[str, Any] = field(default_factory=dict)
    """Keys added to the right answer: ``warnings``, ``isPartial``."""


class FakePrometheus:
    """``with FakePrometheus(series) as server: ... server.url``."""

    def __init__(self, series: Sequence[MadeSeries] = (), *, max_samples: int = 0) -> None:
        """``max_samples``: a question that would load more is refused, as by the real one."""
        self.series = list(series)
        self.max_samples = max_samples
        self.faults: list[Fault] = []
        """Given one after the other, before right answers."""
        self.before_answer: Callable[[], int] = lambda: 200
        """Called for every question; a status other than 200 is the answer."""
        self.headers: list[dict[str, str]] = []
        """Of every request."""
        self.queries: list[str] = []
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
                fake.headers.append(dict(self.headers))
                fake.queries.append(form["query"][0])
                fault = fake.faults.pop(0) if fake.faults else Fault(fake.before_answer())
                status, body = fake.answer(form["query"][0], float(form["time"][0]), fault)
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                keep = fault.keep_bytes if fault and fault.keep_bytes >= 0 else len(body)
                self.wfile.write(body[:keep])

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's
                """Suppress the log line of the standard server."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def answer(self, query: str, at_s: float, fault: Fault | None = None) -> tuple[int, bytes]:
        """Status and body for one question."""
        if fault is not None and (fault.body or fault.status != 200):
            return fault.status, fault.body
        found = _RANGE.search(query)
        if found is None:
            return 400, _error("this fake does not know such a query")
        picked = self._picked(found[1] or "", query, at_s - int(found[2]), at_s)
        if self.max_samples and sum(len(samples) for _, samples in picked) > self.max_samples:
            words = "query processing would load too many samples into memory in query execution"
            return 422, _error(words)
        more = dict(fault.more) if fault else {}
        if query.startswith(("count by", "max by", "last_over_time")):
            return 200, _vector(query, picked, at_s, more)
        result = [{"metric": dict(one.labels), "values": [[t, v] for t, v in samples]}
                  for one, samples in picked]  # fmt: skip
        return 200, _success("matrix", result, more)

    def _picked(
        self, matchers: str, query: str, start_s: float, end_s: float
    ) -> list[tuple[MadeSeries, list[tuple[float, str]]]]:
        family = re.search(r"(\w+)(?:\{|\[)", query)
        tests = [(label, kind == "=~", json.loads(f'"{text}"')) for label, kind, text in
                 _MATCHER.findall(matchers)]  # fmt: skip
        if family:
            tests.append(("__name__", False, family[1]))
        picked = []
        for one in self.series:
            values = (
                (one.labels.get(label, ""), is_pattern, text) for label, is_pattern, text in tests
            )
            if all(re.fullmatch(text, v) if p else v == text for v, p, text in values):
                samples = [(t, v) for t, v in one.samples if start_s <= t <= end_s]
                if samples:
                    picked.append((one, samples))
        return picked


def _vector(
    query: str,
    picked: list[tuple[MadeSeries, list[tuple[float, str]]]],
    at_s: float,
    more: Mapping[str, Any],
) -> bytes:
    by = _BY.search(query)
    names = [name.strip() for name in by[1].split(",")] if by else []
    groups: dict[tuple[tuple[str, str], ...], float] = {}
    for one, samples in picked:
        key = tuple(
            (name, one.labels[name]) for name in names or one.labels if one.labels.get(name)
        )
        at, text = samples[-1]
        value = at if query.startswith("max") else float(text) if not by else 1.0
        groups[key] = max(groups.get(key, 0.0), value)
    result = [{"metric": dict(key), "value": [at_s, str(v)]} for key, v in groups.items()]
    return _success("vector", result, more)


def _success(kind: str, result: list[dict[str, Any]], more: Mapping[str, Any]) -> bytes:
    body = {"status": "success", "data": {"resultType": kind, "result": result}, **more}
    return json.dumps(body, separators=(",", ":")).encode()


def _error(text: str) -> bytes:
    return json.dumps({"status": "error", "errorType": "execution", "error": text}).encode()
