"""Which workload each row of use belongs to: what has one coefficient of watts per core."""

from collections.abc import Sequence

import numpy as np

from wattribute.core.records import Consumer, Usage, WorkloadKey
from wattribute.node.monitor.books import Books
from wattribute.node.monitor.groups import Groups
from wattribute.node.monitor.rows import UsageRows
from wattribute.node.sharing.cpu_use import CpuUse


def workload_key(consumer: Consumer) -> WorkloadKey:
    """Return the key of a container row.

    A pod's container is known by its owner, so that replicas, restarts and roll-outs of the same
    image are one workload; a container that no source names yet, by its id.
    """
    if consumer.kind in {"system", "kernel"}:
        return WorkloadKey(consumer.kind, consumer.kind)
    if consumer.kind == "ended":
        return WorkloadKey("ended", consumer.owner_name or consumer.pod_uid, consumer.namespace)
    owner_kind, owner_name = consumer.owner_kind, consumer.owner_name
    if not owner_name and consumer.pod_name:
        owner_kind, owner_name = "Pod", consumer.pod_name
    if not owner_name:
        owner_kind, owner_name = "container", consumer.container_name or consumer.container_id
    return WorkloadKey(
        owner_kind, owner_name, consumer.namespace, consumer.container_name, consumer.image
    )


class WorkloadKeys:
    """Finds the keys of rows, tick after tick."""

    def __init__(self) -> None:
        """Start with no row known."""
        self._by_uid: dict[tuple[int, str], WorkloadKey] = {}
        """Key of each consumer, by uid and image: that may become known late."""
        self._by_container: dict[str, WorkloadKey] = {}

    def cpu_use(self, usage: Usage, rows: UsageRows, groups: Groups, books: Books) -> CpuUse:
        """Return who used the CPUs in a tick, and of which workload each row is.

        A virtual machine is a workload, and so is a systemd unit; the rest goes by its container.

        Args:
            usage: of this tick.
            rows: made of it.
            groups: of this tick.
            books: in which the rows are booked already.
        """
        consumers = books.containers.consumers
        slots = books.processes.columns["container"][books.processes.find(rows.key)]
        keys: dict[WorkloadKey, int] = {}
        renamed: list[tuple[WorkloadKey, WorkloadKey]] = []
        of_slot = np.zeros(len(consumers), np.int64)
        for slot in np.unique(slots).tolist():
            key = self._key(consumers[slot], renamed)
            of_slot[slot] = keys.setdefault(key, len(keys))
        index = of_slot[slots]
        for kind, at, names in (("unit", rows.unit, groups.units), ("vm", rows.vm, rows.vm_ids)):
            inside = at >= 0
            if inside.any():
                places = [keys.setdefault(WorkloadKey(kind, name), len(keys)) for name in names]
                index[inside] = np.array(places, np.int64)[at[inside]]
        self._forget(consumers)
        return CpuUse(
            start_ns=usage.start_ns,
            end_ns=usage.end_ns,
            keys=rows.key,
            cpu_ns=rows.cpu_ns,
            counters=rows.counters,
            capacity_ns=usage.capacity_ns,
            workload=index,
            workloads=tuple(keys),
            renamed=tuple(renamed),
        )

    def _key(
        self, consumer: Consumer, renamed: list[tuple[WorkloadKey, WorkloadKey]]
    ) -> WorkloadKey:
        known_as = consumer.uid, consumer.image
        key = self._by_uid.get(known_as)
        if key is None:
            key = self._by_uid[known_as] = workload_key(consumer)
            if consumer.container_id:
                before = self._by_container.get(consumer.container_id)
                if before is not None and before != key:
                    renamed.append((before, key))
                self._by_container[consumer.container_id] = key
        return key

    def _forget(self, consumers: Sequence[Consumer]) -> None:
        """Keep no keys of consumers that are long gone."""
        if len(self._by_uid) > 2 * len(consumers) + 256:
            uids = {consumer.uid for consumer in consumers}
            ids = {consumer.container_id for consumer in consumers}
            self._by_uid = {at: key for at, key in self._by_uid.items() if at[0] in uids}
            self._by_container = {i: key for i, key in self._by_container.items() if i in ids}
