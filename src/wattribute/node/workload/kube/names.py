"""Keep the names of this node's pods, and for a while the names of removed pods."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from wattribute.core.records import Workload
from wattribute.node.workload.kube.describe import Described

KEEP_S: Final = 900.0
"""How long a removed pod is remembered: its energy may not have been named yet."""
_MOST_GONE: Final = 20_000
"""Most removed names that are remembered, however many pods a node starts and ends."""

_Key = tuple[bool, str]
"""(whether it is a container, id or uid)."""


class PodNames:
    """Workloads by container id and by pod uid; one thread writes, any thread reads."""

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        """Start without pods."""
        self._clock_s = clock_s
        self._lock = threading.Lock()
        self._pods: dict[str, Described] = {}
        self._known: dict[_Key, Workload] = {}
        self._gone: dict[_Key, float] = {}

    def __len__(self) -> int:
        """Return the number of pods that exist now."""
        return len(self._pods)

    def containers(self, container_ids: Iterable[str]) -> Mapping[str, Workload]:
        """Return what is known about these containers."""
        with self._lock:
            workloads = self._known
            return {i: workloads[True, i] for i in container_ids if (True, i) in workloads}

    def pods(self, uids: Iterable[str]) -> Mapping[str, Workload]:
        """Return what is known about these pods."""
        with self._lock:
            workloads = self._known
            return {uid: workloads[False, uid] for uid in uids if (False, uid) in workloads}

    def replace(self, pods: Iterable[Described]) -> None:
        """Replace the pods by these, which are all that exist."""
        now = {pod.pod.pod_uid: pod for pod in pods}
        with self._lock:
            for uid in self._pods.keys() - now.keys():
                self._remove(uid)
            for pod in now.values():
                self._put(pod)
            self._forget()

    def put(self, pod: Described) -> None:
        """Add a pod, or replace it if it changed."""
        with self._lock:
            self._put(pod)
            self._forget()

    def remove(self, uid: str) -> None:
        """Remove a pod; its names are remembered for a while."""
        with self._lock:
            self._remove(uid)
            self._forget()

    def _put(self, pod: Described) -> None:
        entries = _entries(pod)
        before = self._pods.get(pod.pod.pod_uid)
        if before is not None:
            self._end(key for key in _entries(before) if key not in entries)
        self._pods[pod.pod.pod_uid] = pod
        for key, workload in entries.items():
            self._gone.pop(key, None)
            if self._known.get(key) != workload:  # an equal one stays the same object
                self._known[key] = workload

    def _remove(self, uid: str) -> None:
        pod = self._pods.pop(uid, None)
        if pod is not None:
            # The mirror of a static pod may have been replaced: the entries of the new one stay.
            mine = [key for key in _entries(pod) if self._known[key].pod_uid == uid]
            self._end(mine)

    def _end(self, keys: Iterable[_Key]) -> None:
        until_s = self._clock_s() + KEEP_S
        for key in keys:
            self._gone.setdefault(key, until_s)

    def _forget(self) -> None:
        now_s = self._clock_s()
        while self._gone:
            key = next(iter(self._gone))
            if self._gone[key] > now_s and len(self._gone) <= _MOST_GONE:
                return
            del self._gone[key]
            self._known.pop(key, None)


def _entries(pod: Described) -> dict[_Key, Workload]:
    entries: dict[_Key, Workload] = {(False, uid): pod.pod for uid in pod.uids}
    entries.update(((True, i), workload) for i, workload in pod.containers.items())
    return entries
