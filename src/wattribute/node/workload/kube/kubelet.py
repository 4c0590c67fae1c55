"""Read pod names from this node's kubelet by polling its list of pods.

This is for clusters where the agent may not list pods at the API server. The kubelet has no
watch. So an unknown container triggers a request, one for all unknown containers, and not more
often than the settings allow. A container that stays unknown (a pause container, a container
outside Kubernetes) stops triggering requests.
"""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from wattribute.core.errors import IdentityFailed
from wattribute.core.records import Workload
from wattribute.node.workload.kube.endpoint import Endpoint
from wattribute.node.workload.kube.node import NodeWatch
from wattribute.node.workload.kube.pauses import Pauses, jittered
from wattribute.node.workload.kube.source import PodSource

NEEDS: Final = (
    'apiGroups [""], resources ["nodes/pods"], verbs ["get"] '
    '(before Kubernetes 1.33 "nodes/proxy", which also lets it run commands in every pod)'
)
_PODS: Final = "/pods"
_EVERY_S: Final = 60.0
"""Interval without unknown containers: labels change, and pods end."""
_ANSWERS: Final = 3
"""After this many answers without it, a container triggers no more requests: the kubelet knows its
containers a second or two after they start."""
_FORGET_S: Final = 900.0
"""A container that was not looked up for this long is forgotten."""


@dataclass(slots=True)
class _Unknown:
    """A container that no answer of the kubelet has named."""

    since: int
    """Number of answers at the first lookup."""
    last_s: float
    """Time of the last lookup."""


class Kubelet(PodSource):
    """Polls the kubelet's list of pods, ``/pods``."""

    name = "kubelet"

    def __init__(
        self,
        endpoint: Endpoint,
        node: NodeWatch,
        *,
        least_s: float,
        every_s: float = _EVERY_S,
        clock_s: Callable[[], float] = time.monotonic,
        pauses: Pauses | None = None,
    ) -> None:
        """Poll at least ``least_s`` and at most ``every_s`` seconds after the last request."""
        super().__init__(endpoint, node, pauses)
        self._least_s = least_s
        self._every_s = max(every_s, least_s)
        self._clock_s = clock_s
        self._wanted = threading.Event()
        self._answers = 0
        self._lock = threading.Lock()
        self._unknown: dict[str, _Unknown] = {}

    def lookup(self, container_ids: Iterable[str]) -> Mapping[str, Workload]:
        """Return what is known now about these containers; unknown ones trigger a request."""
        ids = list(container_ids)
        workloads = super().lookup(ids)
        if len(workloads) < len(ids):
            self._miss(container_id for container_id in ids if container_id not in workloads)
        return workloads

    def close(self) -> None:
        """Stop the thread that polls."""
        self._stop.set()
        self._wanted.set()
        super().close()

    def _miss(self, container_ids: Iterable[str]) -> None:
        now_s = self._clock_s()
        with self._lock:
            for container_id in container_ids:
                unknown = self._unknown.get(container_id)
                if unknown is None:
                    unknown = self._unknown[container_id] = _Unknown(self._answers, now_s)
                unknown.last_s = now_s
                if self._answers - unknown.since < _ANSWERS:
                    self._wanted.set()

    def _round(self) -> None:
        where = self._endpoint.url + _PODS
        listed, pods = self._described(self._endpoint.get(_PODS, {}, NEEDS), where)
        if listed.kind != "PodList":
            raise IdentityFailed(
                f"{where}: the answer is not a list of pods; check that this address is a kubelet's"
            )
        self._names.replace(pods)
        self._pauses.reset()
        self._answered()
        with self._lock:
            self._answers += 1
            self._wanted.clear()  # a container that is still unknown will be looked up again
            old_s = self._clock_s() - _FORGET_S
            self._unknown = {i: u for i, u in self._unknown.items() if u.last_s > old_s}
        self._node.refresh()
        self._told.set()
        if self._stop.wait(self._least_s):
            return
        self._wanted.wait(jittered(self._every_s - self._least_s))
