"""What the API server knows of this node: provider, type, region, capacity."""

import logging
import time
from collections.abc import Callable
from typing import Final
from urllib.parse import quote

import msgspec

from wattribute.core.errors import IdentityError
from wattribute.core.records import NodeFacts
from wattribute.node.workload.kube.endpoint import Endpoint
from wattribute.node.workload.kube.resources import amounts
from wattribute.node.workload.kube.shapes import NODE, Node

_LOG = logging.getLogger(__name__)

NEEDS: Final = 'apiGroups [""], resources ["nodes"], verbs ["get"]'
AGAIN_S: Final = 1800.0
"""Capacity changes when a device plugin starts; the rest never."""
_AFTER_FAILURE_S: Final = 300.0
_INSTANCE_TYPE: Final = ("node.kubernetes.io/instance-type", "beta.kubernetes.io/instance-type")
_REGION: Final = ("topology.kubernetes.io/region", "failure-domain.beta.kubernetes.io/region")
"""Well-known labels, and what they were called before 1.17."""


class NodeWatch:
    """The node's object, asked for now and then by the thread of a source."""

    def __init__(
        self,
        endpoint: Endpoint | None,
        name: str,
        *,
        shared: bool,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """Nothing is asked yet.

        Args:
            endpoint: the API server; None: there is none to ask.
            name: of the node.
            shared: somebody else uses and closes the endpoint too.
            clock_s: monotonic seconds.
        """
        self.facts = NodeFacts()
        self._endpoint = endpoint
        self._name = name
        self._shared = shared
        self._clock_s = clock_s
        self._next_s = 0.0
        self._said = ""

    @property
    def extra_requests(self) -> int:
        """Requests that nobody else counts."""
        return 0 if self._endpoint is None or self._shared else self._endpoint.requests

    def refresh(self) -> None:
        """Ask, if it is time; a failure is said once, and never stops the caller."""
        now_s = self._clock_s()
        if self._endpoint is None or now_s < self._next_s:
            return
        # From the server's cache (resourceVersion=0): nothing here is urgent.
        try:
            body = self._endpoint.get(
                f"/api/v1/nodes/{quote(self._name, safe='')}", {"resourceVersion": "0"}, NEEDS
            )
            self.facts = facts_of(NODE.decode(body))
        except (IdentityError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            self._next_s = now_s + _AFTER_FAILURE_S
            if str(error) != self._said:
                _LOG.warning("facts of the node: %s; measuring goes on without them", error)
            self._said = str(error)
            return
        self._next_s = now_s + AGAIN_S
        self._said = ""

    def close(self) -> None:
        """End a request of our own."""
        if self._endpoint is not None and not self._shared:
            self._endpoint.close()


def facts_of(node: Node) -> NodeFacts:
    """What is kept of a node."""
    labels = node.metadata.labels or {}

    def first(keys: tuple[str, ...]) -> str:
        return next((labels[key] for key in keys if labels.get(key)), "")

    return NodeFacts(
        provider_id=node.spec.provider_id if node.spec else "",
        instance_type=first(_INSTANCE_TYPE),
        region=first(_REGION),
        capacity=amounts(node.status.capacity if node.status else None),
    )
