"""The pods of this node as they are known now, and for a while those that are gone."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from wattribute.core.records import Workload
from wattribute.node.workload.kube.describe import Described

KEEP_S: Final = 900.0
"""How long a pod that is gone is remembered: its energy may still be without a name."""
_MOST_GONE: Final = 20_000
"""Of what is gone, no more is remembered, whatever a node starts and ends."""

_Key = tuple[bool, str]
"""(whether it is a container, id or uid)."""


class PodNames:
    """Workloads by container id and by pod uid; one thread writes, any reads."""

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        """No pods yet."""
        self._clock_s = clock_s
        self._lock = threading.Lock()
        self._pods: dict[str, Described] = {}
        self._known: dict[_Key, Workload] = {}
        self._gone: dict[_Key, float] = {}

    def __len__(self) -> int:
        """Pods that are there now."""
        return len(self._pods)

    def containers(self, container_ids: Iterable[str]) -> Mapping[str, Workload]:
        """What is known of these containers."""
        with self._lock:
            known = self._known
            return {i: known[True, i] for i in container_ids if (True, i) in known}

    def pods(self, uids: Iterable[str]) -> Mapping[str, Workload]:
        """What is known of these pods."""
        with self._lock:
            known = self._known
            return {uid: known[False, uid] for uid in uids if (False, uid) in known}

    def replace(self, pods: Iterable[Described]) -> None:
        """These are all the pods that there are."""
        now = {pod.pod.pod_uid: pod for pod in pods}
        with self._lock:
            for uid in self._pods.keys() - now.keys():
                self._remove(uid)
            for pod in now.values():
                self._put(pod)
            self._forget()

    def put(self, pod: Described) -> None:
        """A pod came, or changed."""
        with self._lock:
            self._put(pod)
            self._forget()

    def remove(self, uid: str) -> None:
        """A pod is gone."""
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
            # The mirror of a static pod may have been made anew: what is the new one's stays.
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
