"""Names, labels and requests for container rows, as far as they are known at a tick.

What a source learns later reaches the row at the next tick; what it says of pods names the
rows of pods that no container speaks for: ``ended`` (removed cgroups), and the sandbox, which
Kubernetes' API does not list (``POD``; design section 9, rules 2, 6 and 10).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from wattribute.core.records import Cgroups, IdentityHealth, Workload
from wattribute.core.units import Nanoseconds
from wattribute.node.monitor.containers import ContainerBook
from wattribute.node.monitor.groups import Groups, RowGroup
from wattribute.node.workload import Allocations, Cluster, Identity

SANDBOX: Final = "POD"
"""What Kubernetes' runtimes have always called the container that holds a pod's namespaces."""


@dataclass(frozen=True, slots=True)
class Names:
    """The open sources of names; each may be missing."""

    engines: Identity | None = None
    """Names of containers outside Kubernetes."""
    cluster: Cluster | None = None
    """Names of pods and their containers."""
    allocations: Allocations | None = None
    """To which container the kubelet gave which GPU."""
    is_sandbox: Callable[[str], bool] = lambda _: False
    """Whether in the cgroup of this path a pod's sandbox runs."""

    def health(self) -> tuple[IdentityHealth, ...]:
        """Return how the sources in Kubernetes are doing."""
        return tuple(s.health() for s in (self.cluster, self.allocations) if s is not None)

    def close(self) -> None:
        """Stop the threads of all sources."""
        for source in (self.engines, self.cluster, self.allocations):
            if source is not None:
                source.close()


@dataclass(slots=True)
class _Look:
    """Whether an unknown container of a known pod is its sandbox."""

    ticks: int = 0
    found: bool = False
    pod: Workload | None = None
    workload: Workload | None = None
    """Of the sandbox, made from ``pod``."""


class Namer:
    """Asks the sources at every tick, and tells the book what is new."""

    def __init__(self, names: Names) -> None:
        """Take the sources; their owner closes them."""
        self._engines = names.engines
        self._cluster = names.cluster
        self._is_sandbox = names.is_sandbox
        self._applied: dict[RowGroup, tuple[Workload, int]] = {}
        """What the row of a group was told last, and the row's uid then."""
        self._looks: dict[RowGroup, _Look] = {}

    def name(
        self,
        book: ContainerBook,
        groups: Groups,
        cgroups: Cgroups,
        *,
        now_ns: Nanoseconds,
        birth_hold_ns: int,
        fresh: bool,
    ) -> None:
        """Tell the book what has become known since the last tick.

        Args:
            book: of containers, with this tick's rows.
            groups: of this tick.
            cgroups: of this tick.
            now_ns: the instant of the tick.
            birth_hold_ns: how long a name is awaited.
            fresh: nothing has been published yet, so rows are not held; but those of pods
                whose name is still to come are, lest their energy be under two names.
        """
        if self._engines is None and self._cluster is None:
            return
        rows = book.nameable(now_ns)
        workload_of = self._known([group for group, _, _ in rows], groups, cgroups)
        applied: dict[RowGroup, tuple[Workload, int]] = {}
        for group, slot, born in rows:
            workload = workload_of.get(group)
            if workload is None:
                if fresh and born and group.pod_uid and self._cluster is not None:
                    book.hold(slot, now_ns + birth_hold_ns)
                continue
            before = self._applied.get(group)
            if before is None or before[0] is not workload or before[1] != book.uid(slot):
                before = (workload, book.name(group, workload, now_ns, birth_hold_ns))
            applied[group] = before
        self._applied = applied

    def _known(
        self, nameable: list[RowGroup], groups: Groups, cgroups: Cgroups
    ) -> Mapping[RowGroup, Workload]:
        """What the sources know now; the cluster's word goes before the engines'."""
        workload_by_id = self._named_containers([g for g in nameable if g.kind == "container"])
        workload_of = {
            g: workload_by_id[g.id]
            for g in nameable
            if g.kind == "container" and g.id in workload_by_id
        }
        if self._cluster is None:
            return workload_of
        unknown = [group for group in nameable if group.pod_uid and group not in workload_of]
        pods = self._cluster.pods({group.pod_uid for group in unknown})
        tops = dict(zip(groups.groups, groups.top_cgroup.tolist(), strict=True)) if pods else {}
        looks: dict[RowGroup, _Look] = {}
        for group in unknown:
            workload = pods.get(group.pod_uid)
            if workload is not None and group.kind == "container":
                look = looks[group] = self._looks.get(group) or _Look()
                row = tops.get(group, -1)
                workload = self._sandbox(look, workload, cgroups.path[row] if row >= 0 else "")
            if workload is not None:
                workload_of[group] = workload
        self._looks = looks
        return workload_of

    def _named_containers(self, containers: list[RowGroup]) -> dict[str, Workload]:
        """By id; engines are not asked for containers of pods, which they name in their own way."""
        workload_by_id: dict[str, Workload] = {}
        if self._engines is not None:
            in_pods = self._cluster is not None
            workload_by_id.update(
                self._engines.lookup(g.id for g in containers if not (in_pods and g.pod_uid))
            )
        if self._cluster is not None:
            workload_by_id.update(self._cluster.lookup([group.id for group in containers]))
        return workload_by_id

    def _sandbox(self, look: _Look, pod: Workload, path: str) -> Workload | None:
        """The workload of a pod's sandbox; None: the container is another, not yet reported.

        Looked at in the ticks 1, 2, 4, 8, ...: a process is its runtime's before it is itself.
        """
        if not look.found:
            look.ticks += 1
            if look.ticks & (look.ticks - 1) or not path or not self._is_sandbox(path):
                return None
            look.found = True
        if look.pod is not pod:
            look.pod, look.workload = pod, replace(pod, container=SANDBOX)
        return look.workload
