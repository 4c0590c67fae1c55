"""The state of a made cluster: objects, their versions, and what has happened to them."""

import threading
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Final

from wattribute_testing.kube.objects import Json

_KEPT: Final = 10_000


@dataclass(frozen=True, slots=True)
class Change:
    """One change of a pod."""

    version: int
    type: str
    """``ADDED``, ``MODIFIED`` or ``DELETED``."""
    object: Json


class FakeCluster:
    """Pods and nodes; each change gets the next resourceVersion, as in etcd."""

    def __init__(self) -> None:
        """An empty cluster."""
        self.version = 1000
        self.oldest = 1000
        """Changes up to this version have been forgotten."""
        self._pods: dict[tuple[str, str], Json] = {}
        self._nodes: dict[str, Json] = {}
        self._changes: list[Change] = []
        self._changed = threading.Condition()

    def put_pod(self, pod: Json) -> None:
        """Add a pod, or change the one of that name; another uid: the old one is deleted first."""
        pod = deepcopy(pod)
        key = (pod["metadata"].get("namespace", ""), pod["metadata"]["name"])
        before = self._pods.get(key)
        if before is not None and before["metadata"]["uid"] != pod["metadata"]["uid"]:
            self.delete_pod(*key)
            before = None
        with self._changed:
            self._pods[key] = pod
            self._note("ADDED" if before is None else "MODIFIED", pod)

    def delete_pod(self, namespace: str, name: str) -> None:
        """Delete a pod."""
        with self._changed:
            self._note("DELETED", deepcopy(self._pods.pop((namespace, name))))

    def put_node(self, node: Json) -> None:
        """Add or change a node."""
        with self._changed:
            self.version += 1
            node = deepcopy(node)
            node["metadata"]["resourceVersion"] = str(self.version)
            self._nodes[node["metadata"]["name"]] = node

    def compact(self) -> None:
        """Forget what has happened so far: a watch from before is told 410."""
        with self._changed:
            self.version += 1
            self.oldest = self.version
            self._changes.clear()

    def pods(self) -> tuple[list[Json], int]:
        """All pods, and the version of this state."""
        with self._changed:
            return list(self._pods.values()), self.version

    def node(self, name: str) -> Json | None:
        """Return the node of this name; None if there is none."""
        return self._nodes.get(name)

    def since(
        self, version: int, until_s: float, stopped: Callable[[], bool]
    ) -> tuple[list[Change], int] | None:
        """Changes after a version, and the version now; None: they have been forgotten.

        Waits for the first until the monotonic clock reads ``until_s`` or ``stopped``.
        """
        with self._changed:
            while True:
                if version < self.oldest:
                    return None
                new = [change for change in self._changes if change.version > version]
                if new or time.monotonic() >= until_s or stopped():
                    return new, self.version
                self._changed.wait(0.02)

    def _note(self, kind: str, pod: Json) -> None:
        self.version += 1
        pod["metadata"]["resourceVersion"] = str(self.version)
        self._changes.append(Change(self.version, kind, pod))
        if len(self._changes) > _KEPT:
            self.oldest = self._changes.pop(0).version
        self._changed.notify_all()
