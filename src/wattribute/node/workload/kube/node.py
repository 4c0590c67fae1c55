"""Read facts of this node from the API server: provider, instance type, region, capacity."""

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
from wattribute.node.workload.kube.shapes import NODE, KubeNode

_LOG = logging.getLogger(__name__)

NEEDS: Final = 'apiGroups [""], resources ["nodes"], verbs ["get"]'
AGAIN_S: Final = 1800.0
"""Time between requests. Capacity changes when a device plugin starts; the rest never changes."""
_AFTER_FAILURE_S: Final = 300.0
_INSTANCE_TYPE: Final = ("node.kubernetes.io/instance-type", "beta.kubernetes.io/instance-type")
_REGION: Final = ("topology.kubernetes.io/region", "failure-domain.beta.kubernetes.io/region")
"""Well-known labels, and their names before Kubernetes 1.17."""


class NodeWatch:
    """Reads the node's object now and then, in the thread of a source of pod names."""

    def __init__(
        self,
        endpoint: Endpoint | None,
        name: str,
        *,
        shared: bool,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare to ask for the node ``name``.

        Args:
            endpoint: the API server; None if there is none to ask.
            name: the node's name.
            shared: the source of pod names uses and closes the endpoint too.
            clock_s: clock in monotonic seconds.
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
        """Number of requests over an endpoint that is not shared, which only this object counts."""
        return 0 if self._endpoint is None or self._shared else self._endpoint.requests

    def refresh(self) -> None:
        """Ask the API server if it is time; log a failure once, and never raise it."""
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
                _LOG.warning(
                    "cannot read the facts of the node: %s; measuring continues without them", error
                )
            self._said = str(error)
            return
        self._next_s = now_s + AGAIN_S
        self._said = ""

    def close(self) -> None:
        """End a request over an endpoint that is not shared."""
        if self._endpoint is not None and not self._shared:
            self._endpoint.close()


def facts_of(node: KubeNode) -> NodeFacts:
    """Return the facts that are kept about a node."""
    labels = node.metadata.labels or {}

    def first(keys: tuple[str, ...]) -> str:
        return next((labels[key] for key in keys if labels.get(key)), "")

    return NodeFacts(
        provider_id=node.spec.provider_id if node.spec else "",
        instance_type=first(_INSTANCE_TYPE),
        region=first(_REGION),
        capacity=amounts(node.status.capacity if node.status else None),
    )
