"""What both sources share: a thread that asks, waits longer after failures, and tells."""

import logging
import random
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
from wattribute.node.workload.kube.shapes import POD, POD_LIST, PodList

_LOG = logging.getLogger(__name__)

_FIRST_PAUSE_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 30.0
"""As client-go: names come back within a minute of the server."""
_SPREAD_S: Final = 10.0
"""A server that goes ends all agents' watches at one instant: they come back over so long. The name
of a new container is awaited for three times that (``monitor.birth_hold``)."""
UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class PodSource(ABC):
    """Names from a server of the cluster, kept fresh by a thread of its own.

    The server being away costs names of what is new, and nothing else: what is known stays.
    """

    name: str

    def __init__(self, endpoint: Endpoint, node: NodeWatch) -> None:
        """Nothing is asked before ``start``."""
        self._endpoint = endpoint
        self._node = node
        self._names = PodNames()
        self._stop = threading.Event()
        self._told = threading.Event()
        self._awaited = False
        self._failures = 0
        self._in_a_row = 0
        self._steady = False
        """The last watch went on for a while: the end of it was not for us alone."""
        self._bad_pods = 0
        self._message = ""
        self._denied = False
        self._thread = threading.Thread(target=self._work, name=self.name, daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def wait(self, timeout_s: float) -> None:
        """Wait until the first answer, or the first failure, which is the caller's to tell."""
        self._told.wait(timeout_s)
        self._awaited = True

    def lookup(self, container_ids: Iterable[str]) -> Mapping[str, Workload]:
        """What is known now of these containers."""
        return self._names.containers(container_ids)

    def pods(self, uids: Iterable[str]) -> Mapping[str, Workload]:
        """What is known now of these pods."""
        return self._names.pods(uids)

    def node(self) -> NodeFacts:
        """What is known of this node."""
        return self._node.facts

    def health(self) -> IdentityHealth:
        """How the source is doing."""
        return IdentityHealth(
            name=self.name,
            up=self._told.is_set() and not self._message,
            failures=self._failures,
            requests=self._endpoint.requests + self._node.extra_requests,
            pods=len(self._names),
            message=self._message,
        )

    @property
    def denied(self) -> bool:
        """The last failure was for want of a right."""
        return self._denied

    def close(self) -> None:
        """Stop the thread."""
        self._stop.set()
        self._endpoint.close()
        self._node.close()
        if self._thread.is_alive():
            self._thread.join(timeout=1.0)

    @abstractmethod
    def _round(self) -> None:
        """Ask once and wait for what comes next.

        Raises:
            IdentityError: it could not be asked; it is asked again later.
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
        """The server has answered."""
        if self._message:
            _LOG.info("names of pods: %s answers again", self._endpoint.url)
        self._message, self._denied = "", False

    def _failed(self, error: IdentityError) -> float:
        """Note a failure; seconds to wait."""
        text = str(error)
        if text != self._message and self._awaited:
            _LOG.warning("names of pods: %s; what is known stays, and it is tried again", text)
        self._failures += 1
        self._message = text
        self._denied = isinstance(error, IdentityDenied)
        self._told.set()
        return max(self._pause_s(), error.retry_s)

    def _pause_s(self) -> float:
        """Twice as long each time, up to 15 to 45 s; the first anything up to 10 s after a watch.

        So a thousand agents do not come back to a restarted server at one instant.
        """
        self._in_a_row += 1
        if self._steady:
            self._steady = False
            return random.uniform(0.0, _SPREAD_S)  # noqa: S311 - spreads load, guards nothing
        return jittered(min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2 ** min(self._in_a_row - 1, 10)))

    def _described(self, body: bytes, where: str) -> tuple[PodList, list[Described]]:
        """A list of pods; one that cannot be read costs itself alone.

        Raises:
            IdentityFailed: it is no list of pods.
        """
        try:
            listed = POD_LIST.decode(body)
        except UNREADABLE as error:
            raise IdentityFailed(f"{where}: not a list of pods: {error}") from error
        found = []
        for item in listed.items or ():
            pod = self._described_one(item)
            if pod is not None:
                found.append(pod)
        return listed, found

    def _described_one(self, item: msgspec.Raw) -> Described | None:
        try:
            pod = describe(POD.decode(item))
        except UNREADABLE as error:
            self._bad_pods += 1
            if self._bad_pods == 1:
                _LOG.warning("%s: a pod that cannot be read is left out: %s", self.name, error)
            return None
        return pod if pod.uids else None


def jittered(pause_s: float) -> float:
    """Half to one and a half times as long."""
    return pause_s * random.uniform(0.5, 1.5)  # noqa: S311 - spreads load, guards nothing
