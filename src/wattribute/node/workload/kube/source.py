"""The common part of both sources of pod names: a thread that asks, and backs off on failures."""

import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from wattribute.core.errors import IdentityDenied, IdentityError, IdentityFailed
from wattribute.core.records import IdentityHealth, NodeFacts, Workload
from wattribute.node.workload.kube.describe import Described, describe
from wattribute.node.workload.kube.endpoint import Endpoint
from wattribute.node.workload.kube.names import PodNames
from wattribute.node.workload.kube.node import NodeWatch
from wattribute.node.workload.kube.pauses import Pauses
from wattribute.node.workload.kube.shapes import POD, POD_LIST, PodList

_LOG = logging.getLogger(__name__)

UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class PodSource(ABC):
    """Pod names from a server of the cluster, kept up to date by a separate thread.

    While the server is away, only new pods and containers have no name: known names stay.
    """

    name: str

    def __init__(self, endpoint: Endpoint, node: NodeWatch, pauses: Pauses | None) -> None:
        """Prepare the source; it asks nothing before ``start``."""
        self._endpoint = endpoint
        self._node = node
        self._names = PodNames()
        self._stop = threading.Event()
        self._told = threading.Event()
        self._awaited = False
        self._failures = 0
        self._pauses = pauses or Pauses()
        self._bad_pods = 0
        self._message = ""
        self._denied = False
        self._thread = threading.Thread(target=self._work, name=self.name, daemon=True)

    def start(self) -> None:
        """Start the thread that asks the server."""
        self._thread.start()

    def wait(self, timeout_s: float) -> None:
        """Wait for the first answer or the first failure; the caller reports that failure."""
        self._told.wait(timeout_s)
        self._awaited = True

    def lookup(self, container_ids: Iterable[str]) -> Mapping[str, Workload]:
        """Return what is known now about these containers."""
        return self._names.containers(container_ids)

    def pods(self, uids: Iterable[str]) -> Mapping[str, Workload]:
        """Return what is known now about these pods."""
        return self._names.pods(uids)

    def node(self) -> NodeFacts:
        """Return what is known about this node."""
        return self._node.facts

    def health(self) -> IdentityHealth:
        """Return the health of the source."""
        return IdentityHealth(
            name=self.name,
            up=self._told.is_set() and not self._message,
            failures=self._failures,
            requests=self._endpoint.requests + self._node.extra_requests,
            pods=len(self._names),
            message=self._message,
        )

    @property
    def url(self) -> str:
        """Address of the server that is asked."""
        return self._endpoint.url

    @property
    def running(self) -> bool:
        """True while the thread that asks lives."""
        return self._thread.is_alive()

    @property
    def denied(self) -> bool:
        """True if the last failure was a missing permission."""
        return self._denied

    def close(self) -> None:
        """Stop the thread that asks the server."""
        self._stop.set()
        self._endpoint.close()
        self._node.close()
        if self._thread.is_alive():
            self._thread.join(timeout=1.0)

    @abstractmethod
    def _round(self) -> None:
        """Ask the server once, and wait until the next request is due.

        Raises:
            IdentityError: the request failed; it is repeated later.
        """

    def _work(self) -> None:
        while not self._stop.is_set():
            try:
                self._round()
            except IdentityError as error:
                if self._stop.is_set():
                    return
                self._stop.wait(self._failed(error))

    def _answered(self) -> None:
        """Note that the server has answered."""
        if self._message:
            _LOG.info("pod names: %s answers again", self._endpoint.url)
        self._message, self._denied = "", False

    def _failed(self, error: IdentityError) -> float:
        """Note a failure; return the seconds to wait."""
        text = str(error)
        if text != self._message and self._awaited:
            _LOG.warning("pod names: %s; known names stay, and the request is repeated", text)
        self._failures += 1
        self._message = text
        self._denied = isinstance(error, IdentityDenied)
        self._told.set()
        return max(self._pauses.next_s(), error.retry_s)

    def _described(self, body: bytes, where: str) -> tuple[PodList, list[Described]]:
        """Decode a list of pods; a pod that cannot be decoded is left out.

        Raises:
            IdentityFailed: the body is not a list of pods.
        """
        try:
            listed = POD_LIST.decode(body)
        except UNREADABLE as error:
            raise IdentityFailed(f"{where}: the answer is not a list of pods: {error}") from error
        pods = []
        for item in listed.items or ():
            pod = self._described_pod(item)
            if pod is not None:
                pods.append(pod)
        return listed, pods

    def _described_pod(self, item: msgspec.Raw) -> Described | None:
        try:
            pod = describe(POD.decode(item))
        except UNREADABLE as error:
            self._bad_pods += 1
            if self._bad_pods == 1:
                _LOG.warning("%s: a pod cannot be decoded and is left out: %s", self.name, error)
            return None
        return pod if pod.uids else None
