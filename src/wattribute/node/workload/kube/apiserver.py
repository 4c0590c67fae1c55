"""Read pod names from the API server: list this node's pods once, then watch them.

This follows client-go's reflector (k8s.io/client-go/tools/cache/reflector.go). The first list
comes from the server's cache (``resourceVersion=0``), and the watch continues from there. The
server ends a watch after a while; the next watch continues where it ended. 410 Gone means that
a new list is needed.
"""

import time
from http import HTTPStatus
from typing import Final

import msgspec

from wattribute.core.errors import IdentityError, IdentityExpired, IdentityFailed
from wattribute.node.workload.kube.endpoint import Endpoint
from wattribute.node.workload.kube.node import NodeWatch
from wattribute.node.workload.kube.pauses import Pauses, jittered
from wattribute.node.workload.kube.shapes import EVENT, STATUS, Metadata, Status
from wattribute.node.workload.kube.source import UNREADABLE, PodSource

NEEDS: Final = 'apiGroups [""], resources ["pods"], verbs ["list", "watch"]'
_PODS: Final = "/api/v1/pods"
WATCH_S: Final = 450.0
"""Mean length of a requested watch; with jitter, about 4 to 11 minutes."""
_SILENCE_S: Final = 30.0
"""A watch may be silent for this much longer than its requested length."""
_STEADY_S: Final = 5.0
"""A watch that lasted this long resets the count of failures in a row: reconnecting after it costs
the server little."""
_SHORT_S: Final = 1.0
"""A watch that ends sooner, without an event, counts as a failure."""


class _Any(msgspec.Struct, frozen=True):
    """The part that every Kubernetes object has."""

    metadata: Metadata = Metadata()


_ANY: Final = msgspec.json.Decoder(_Any)


class ApiServer(PodSource):
    """Lists and watches the pods of one node at the API server."""

    name = "apiserver"

    def __init__(
        self,
        endpoint: Endpoint,
        node: NodeWatch,
        node_name: str,
        *,
        watch_s: float = WATCH_S,
        pauses: Pauses | None = None,
    ) -> None:
        """Prepare to watch the pods of ``node_name``; ``watch_s`` is the mean length of a watch."""
        super().__init__(endpoint, node, pauses)
        self._selector = {"fieldSelector": f"spec.nodeName={node_name}"}
        self._watch_s = watch_s
        self._version = ""
        """Resource version from which the watch continues; "": list first."""
        self._first = "0"
        """Resource version of the next list. "0" accepts any state in the server's cache. After a
        410, "" asks for the newest state, because the cache of another server may be older."""

    @property
    def version(self) -> str:
        """Resource version from which the watch continues; "" before the first list."""
        return self._version

    def _round(self) -> None:
        try:
            if not self._version:
                self._list()
            self._node.refresh()
            self._told.set()
            if self._watch():  # a server that shuts down ends all watches early
                self._stop.wait(self._pauses.next_s())
        except IdentityExpired:
            self._version, self._first = "", ""
            self._stop.wait(self._pauses.next_s())

    def _list(self) -> None:
        query = self._selector | ({"resourceVersion": self._first} if self._first else {})
        listed, pods = self._described(
            self._endpoint.get(_PODS, query, NEEDS), self._endpoint.url + _PODS
        )
        if not listed.metadata.version:
            raise IdentityFailed(
                f"{self._endpoint.url}{_PODS}: the answer is not a list of pods: no resourceVersion"
            )
        self._names.replace(pods)
        self._version = listed.metadata.version
        self._answered()

    def _watch(self) -> bool:
        """Follow the changes until the server ends the watch; return whether it ended early."""
        seconds = jittered(self._watch_s)
        query = self._selector | {
            "watch": "1",
            "resourceVersion": self._version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(max(1, int(seconds))),
        }
        where = self._endpoint.url + _PODS
        lines = self._endpoint.stream(_PODS, query, NEEDS, seconds + _SILENCE_S)
        self._answered()
        began_s, has_event = time.monotonic(), False
        try:
            for line in lines:
                has_event = True
                self._take(line, where)
                if self._stop.is_set():
                    break
        finally:
            self._endpoint.hang_up()
            lasted_s = time.monotonic() - began_s
            if lasted_s >= _STEADY_S:
                self._pauses.reset(spread=True)
        if lasted_s < _SHORT_S and not has_event:
            raise IdentityFailed(f"{where}: the server ended the watch at once")
        return lasted_s < seconds - 1  # timeoutSeconds is a whole number

    def _take(self, line: bytes, where: str) -> None:
        """Apply one event of the watch."""
        try:
            event = EVENT.decode(line)
            if event.type == "ERROR":
                raise _error_of(STATUS.decode(event.object), where)
            metadata = _ANY.decode(event.object).metadata
        except UNREADABLE as error:
            self._version = ""  # the change in it is lost: a new list is needed
            raise IdentityFailed(
                f"{where}: a line of the watch is not an event: {error}"
            ) from error
        if event.type == "DELETED":
            self._names.remove(metadata.uid)
        elif event.type in ("ADDED", "MODIFIED"):
            pod = self._described_pod(event.object)
            if pod is not None:
                self._names.put(pod)
        if metadata.version:
            self._version = metadata.version


def _error_of(status: Status, where: str) -> IdentityError:
    """Return the error that a watch ended with."""
    text = f"{where}: {status.code}, {status.message}"
    if status.code == HTTPStatus.GONE:
        return IdentityExpired(text)
    return IdentityFailed(text)
