"""A fake API server: GET of nodes, list and watch of pods, as a real one answers.

Source: Kubernetes API concepts (efficient detection of changes, watch bookmarks, 410 Gone);
compared with what kube-apiserver 1.34 answers.
"""

import time
from collections.abc import Iterator
from http import HTTPStatus
from typing import Final

from wattribute_testing.kube.faults import Seen
from wattribute_testing.kube.objects import Json, matches
from wattribute_testing.kube.server import USER, Exchange, FakeServer, encoded

_REASONS: Final = {401: "Unauthorized", 403: "Forbidden", 404: "NotFound", 410: "Expired"}
_PODS: Final = "/api/v1/pods"
_NODES: Final = "/api/v1/nodes/"


class FakeApiServer(FakeServer):
    """Serves a cluster's pods and nodes."""

    bookmark_every_s: float = 60.0

    def answer(self, exchange: Exchange, request: Seen) -> None:
        """Route a request."""
        if request.path == _PODS:
            verb = "watch" if request.query.get("watch") in ("1", "true") else "list"
            if not self.may(verb, "pods"):
                self._forbid(exchange, f'cannot {verb} resource "pods"', "at the cluster scope")
            else:
                (self._watch if verb == "watch" else self._list)(exchange, request)
        elif request.path.startswith(_NODES):
            name = request.path.removeprefix(_NODES)
            node = self.cluster.node(name)
            if not self.may("get", "nodes"):
                self._forbid(exchange, 'cannot get resource "nodes"', "at the cluster scope")
            elif node is None:
                self._fail(exchange, 404, f'nodes "{name}" not found')
            else:
                exchange.whole(HTTPStatus.OK, encoded(node))
        else:
            self._fail(exchange, 404, "the server could not find the requested resource")

    def error(self, status: int, message: str) -> bytes:
        """Return a Status object, as Kubernetes reports errors."""
        return encoded(self._status(status, message or _REASONS.get(status, "")))

    def _status(self, status: int, message: str) -> Json:
        return {
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": message, "reason": _REASONS.get(status, ""), "code": status,
        }  # fmt: skip

    def _fail(self, exchange: Exchange, status: int, message: str) -> None:
        exchange.whole(status, self.error(status, message))

    def _forbid(self, exchange: Exchange, action: str, where: str) -> None:
        kind = "nodes" if "nodes" in action else "pods"
        text = f'{kind} is forbidden: User "{USER}" {action} in API group "" {where}'
        self._fail(exchange, 403, text)

    def _list(self, exchange: Exchange, request: Seen) -> None:
        selector = _selector(request)
        if selector is None:
            self._fail(exchange, 400, "field label not supported")
            return
        pods, version = self.cluster.pods()
        # Items of a list carry neither kind nor apiVersion.
        items = [
            {key: value for key, value in pod.items() if key not in ("kind", "apiVersion")}
            for pod in pods
            if matches(pod, selector)
        ]
        exchange.whole(
            HTTPStatus.OK,
            encoded(
                {
                    "kind": "PodList",
                    "apiVersion": "v1",
                    "metadata": {"resourceVersion": str(version)},
                    "items": items,
                }
            ),
        )

    def _watch(self, exchange: Exchange, request: Seen) -> None:
        selector = _selector(request)
        if selector is None:
            self._fail(exchange, 400, "field label not supported")
        else:
            exchange.stream(self._events(request, selector))

    def _events(self, request: Seen, selector: list[tuple[str, str]]) -> Iterator[bytes]:
        if self.faults.watch_ends_at_once:
            return
        if self.faults.junk is not None:
            yield self.faults.junk + b"\n"
        version = int(request.query.get("resourceVersion", "0"))
        ends_s = time.monotonic() + float(request.query.get("timeoutSeconds", "1800"))
        bookmarks = request.query.get("allowWatchBookmarks") == "true"
        while time.monotonic() < ends_s and not self.stopped:
            until_s = min(ends_s, time.monotonic() + self.bookmark_every_s)
            news = self.cluster.since(version, until_s, lambda: self.stopped)
            if news is None:
                text = f"too old resource version: {version} ({self.cluster.oldest})"
                yield _event("ERROR", self._status(410, text))
                return
            changes, version = news
            for change in changes:
                if matches(change.object, selector):
                    yield _event(change.type, change.object)
            if not changes and bookmarks and not self.stopped and time.monotonic() < ends_s:
                yield _event("BOOKMARK", _bookmark(version))


def _bookmark(version: int) -> Json:
    return {
        "kind": "Pod", "apiVersion": "v1",
        "metadata": {"resourceVersion": str(version), "creationTimestamp": None},
        "spec": {"containers": None}, "status": {},
    }  # fmt: skip


def _event(kind: str, document: Json) -> bytes:
    return encoded({"type": kind, "object": document}) + b"\n"


def _selector(request: Seen) -> list[tuple[str, str]] | None:
    """The field selector; None: of a field that pods cannot be selected by."""
    terms = []
    for term in filter(None, request.query.get("fieldSelector", "").split(",")):
        key, _, value = term.partition("=")
        if key not in ("spec.nodeName", "metadata.name", "metadata.namespace"):
            return None
        terms.append((key, value.removeprefix("=")))
    return terms
