"""Names from the API server: one list, then a watch, of this node's pods alone.

What client-go's reflector does (k8s.io/client-go/tools/cache/reflector.go): the first list
from the server's cache (``resourceVersion=0``), then a watch from there; the server ends a
watch after a while, and it goes on where it was; 410 Gone means a new list.
"""

import time
from http import HTTPStatus
from typing import Final

import msgspec

from wattribute.core.errors import IdentityError, IdentityExpired, IdentityFailed
from wattribute.node.workload.kube.endpoint import Endpoint
from wattribute.node.workload.kube.node import NodeWatch
from wattribute.node.workload.kube.shapes import EVENT, STATUS, Metadata, Status
from wattribute.node.workload.kube.source import UNREADABLE, PodSource, jittered

NEEDS: Final = 'apiGroups [""], resources ["pods"], verbs ["list", "watch"]'
_PODS: Final = "/api/v1/pods"
WATCH_S: Final = 450.0
"""Mean time that a watch is asked for; jittered, about 4 to 11 minutes."""
_SILENCE_S: Final = 30.0
"""So much longer than it was asked for a watch may be silent."""
_STEADY_S: Final = 5.0
"""A watch that went on so long ends a row of failures: beginning again costs the server little."""
_SHORT_S: Final = 1.0
"""A watch that ends sooner, and has said nothing, is a failure."""


class _Any(msgspec.Struct, frozen=True):
    """What every object has."""

    metadata: Metadata = Metadata()


_ANY: Final = msgspec.json.Decoder(_Any)


class ApiServer(PodSource):
    """List and watch of the pods on one node."""

    name = "apiserver"

    def __init__(
        self, endpoint: Endpoint, node: NodeWatch, node_name: str, *, watch_s: float = WATCH_S
    ) -> None:
        """``watch_s``: mean time that a watch is asked for."""
        super().__init__(endpoint, node)
        self._selector = {"fieldSelector": f"spec.nodeName={node_name}"}
        self._watch_s = watch_s
        self._version = ""
        """Where the watch goes on; "": list first."""
        self._first = "0"
        """For the next list: any state that the server has in its cache; after a 410, its newest,
        lest another server's older cache be taken for news."""

    def _round(self) -> None:
        try:
            if not self._version:
                self._list()
            self._node.refresh()
            self._told.set()
            if self._watch():  # a server that goes ends them all
                self._stop.wait(self._pause_s())
        except IdentityExpired:
            self._version, self._first = "", ""
            self._stop.wait(self._pause_s())

    def _list(self) -> None:
        query = self._selector | ({"resourceVersion": self._first} if self._first else {})
        listed, pods = self._described(
            self._endpoint.get(_PODS, query, NEEDS), self._endpoint.url + _PODS
        )
        if not listed.metadata.version:
            raise IdentityFailed(f"{self._endpoint.url}{_PODS}: not a list of pods: no version")
        self._names.replace(pods)
        self._version = listed.metadata.version
        self._answered()

    def _watch(self) -> bool:
        """Follow the changes until the server ends the watch; whether that was before its time."""
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
        began_s, said = time.monotonic(), False
        try:
            for line in lines:
                said = True
                self._take(line, where)
                if self._stop.is_set():
                    break
        finally:
            self._endpoint.hang_up()
            lasted_s = time.monotonic() - began_s
            if lasted_s >= _STEADY_S:
                self._in_a_row, self._steady = 0, True
        if lasted_s < _SHORT_S and not said:
            raise IdentityFailed(f"{where}: the watch ended at once")
        return lasted_s < seconds - 1  # timeoutSeconds is in whole ones

    def _take(self, line: bytes, where: str) -> None:
        """One event of the watch."""
        try:
            event = EVENT.decode(line)
            if event.type == "ERROR":
                raise _error_of(STATUS.decode(event.object), where)
            metadata = _ANY.decode(event.object).metadata
        except UNREADABLE as error:
            self._version = ""  # what it said is lost: a new list tells
            raise IdentityFailed(f"{where}: not an event: {error}") from error
        if event.type == "DELETED":
            self._names.remove(metadata.uid)
        elif event.type in ("ADDED", "MODIFIED"):
            pod = self._described_one(event.object)
            if pod is not None:
                self._names.put(pod)
        if metadata.version:
            self._version = metadata.version


def _error_of(status: Status, where: str) -> IdentityError:
    """The error that a watch ended with."""
    text = f"{where}: {status.code}, {status.message}"
    if status.code == HTTPStatus.GONE:
        return IdentityExpired(text)
    return IdentityFailed(text)
