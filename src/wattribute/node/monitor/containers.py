"""Cumulative energy of containers and special rows: who they are, since when, until when."""

from collections.abc import Iterable
from dataclasses import replace
from itertools import count

import numpy as np
from numpy.typing import NDArray

from wattribute.core.records import REWEIGHED, Consumer, Workload
from wattribute.core.units import Nanoseconds
from wattribute.node.monitor.columns import Columns
from wattribute.node.monitor.groups import RowGroup


class ContainerBook:
    """One slot per container row.

    A row's identity never changes once its total has been published: a name that
    comes later ends the nameless row and begins a new one, so each joule is in one
    series (design section 9, rule 2).
    """

    def __init__(self) -> None:
        """An empty book."""
        self.columns = Columns(
            {
                "born_ns": (np.int64, ()),
                "hold_until_ns": (np.int64, ()),
                "ended_ns": (np.int64, ()),
                "cpu_ns": (np.int64, ()),
                "tick_ns": (np.int64, ()),
                "tick_uj": (np.int64, (1, 2)),
                "gpu_ns": (np.int64, ()),
                "memory_bytes": (np.int64, ()),
                "memory_byte_ns": (np.float64, ()),
                "energy_uj": (np.int64, (1, 2)),
                **dict.fromkeys(REWEIGHED, (np.int64, (1,))),
                "parts_uj": (np.int64, (5,)),
                "tick_sums_uj": (np.int64, (4,)),
                "watts_per_core": (np.float64, (3,)),
            }
        )
        self.consumers: list[Consumer] = []
        self.groups: list[RowGroup] = []
        self._slot: dict[RowGroup, int] = {}
        """The last row of each group, alive or lingering."""
        self._uids = count(1)
        self._shown_ns = 0
        """When the rows were looked through last for those to drop."""
        self.retired_uj: dict[str, NDArray[np.int64]] = {}
        """By pod uid, (channels, 2): energy of rows that were dropped while other rows of the pod
        remain, so that what is summed by pod never falls."""

    def slot(self, group: RowGroup, now_ns: Nanoseconds, hold_until_ns: int) -> int:
        """The slot of a group that is there now.

        A new one is published as 0 until ``hold_until_ns``. One that lingers (its container
        was started again, or a last word of it came late) goes on with its total.
        """
        slot = self._slot.get(group)
        if slot is None:
            return self._add(group, _nameless(group, next(self._uids)), now_ns, hold_until_ns)
        return slot

    def note_present(self, slots: NDArray[np.int64]) -> None:
        """Rows that are there; those that lingered go on."""
        self.columns["ended_ns"][slots] = 0

    def nameable(self, now_ns: Nanoseconds) -> list[tuple[RowGroup, int, bool]]:
        """Rows that may still get a name or other facts: alive, or never shown with energy.

        Returns:
            (group, slot, whether it was born at ``now_ns``)
        """
        columns = self.columns
        open_ = (columns["ended_ns"] == 0) | (columns["hold_until_ns"] > now_ns)
        here, born = open_.tolist(), (columns["born_ns"] == now_ns).tolist()
        return [
            (group, slot, born[slot])
            for group, slot in self._slot.items()
            if here[slot] and group.kind in ("container", "ended")
        ]

    def name(
        self, group: RowGroup, workload: Workload, now_ns: Nanoseconds, birth_hold_ns: int
    ) -> int:
        """Give the row of a group what has become known of it; the row's uid then."""
        slot = self._slot[group]
        consumer = self.consumers[slot]
        new_name = _named(consumer, workload)
        if new_name == consumer:
            return consumer.uid
        if replace(new_name, image=consumer.image) == consumer:  # no series has the image
            self.consumers[slot] = new_name
            return consumer.uid
        new_name = replace(new_name, uid=next(self._uids))
        columns = self.columns
        is_held = columns["hold_until_ns"][slot] > now_ns
        unseen = is_held or columns["born_ns"][slot] == now_ns
        same = _same_series(new_name, consumer)
        if unseen or same:
            self.consumers[slot] = new_name
            if is_held and not same:
                # The 0 under the new name must be scraped once: half the hold is a scrape interval.
                until = now_ns + birth_hold_ns // 2
                columns["hold_until_ns"][slot] = max(columns["hold_until_ns"][slot], until)
        elif columns["ended_ns"][slot]:
            return consumer.uid  # it has been shown nameless, and gets nothing more
        else:
            self._end(slot, now_ns)
            self._add(group, new_name, now_ns, now_ns + birth_hold_ns)
        return new_name.uid

    def uid(self, slot: int) -> int:
        """Of the consumer in a slot."""
        return self.consumers[slot].uid

    def hold(self, slot: int, until_ns: int) -> None:
        """Publish a row as 0 until then, at least."""
        hold_until_ns = self.columns["hold_until_ns"]
        hold_until_ns[slot] = max(int(hold_until_ns[slot]), until_ns)

    def end_missing(self, present: Iterable[RowGroup], now_ns: Nanoseconds) -> None:
        """End the rows of groups that are no longer there; special rows never end."""
        here = set(present)
        ended_ns = self.columns["ended_ns"]
        for group, slot in self._slot.items():
            if group not in here and group.kind in ("container", "ended") and not ended_ns[slot]:
                self._end(slot, now_ns)

    def drop_ended(self, now_ns: Nanoseconds, linger_ns: int) -> NDArray[np.int64] | None:
        """Drop rows that have lingered; old slot -> new slot, None if nothing was dropped.

        A row lingers from the first time that its total is shown, however late this tick is.
        """
        columns = self.columns
        ended_ns, hold_until_ns = columns["ended_ns"], columns["hold_until_ns"]
        shown_first = (hold_until_ns > self._shown_ns) & (hold_until_ns <= now_ns)
        ended_ns[shown_first & (ended_ns > 0)] = now_ns
        self._shown_ns = now_ns
        keep = (ended_ns == 0) | (np.maximum(ended_ns, hold_until_ns) + linger_ns > now_ns)
        if keep.all():
            return None
        self._retire(np.flatnonzero(~keep))
        moved = columns.keep(keep)
        self.consumers = [c for c, stays in zip(self.consumers, keep, strict=True) if stays]
        self.groups = [g for g, stays in zip(self.groups, keep, strict=True) if stays]
        self._slot = {g: int(moved[slot]) for g, slot in self._slot.items() if keep[slot]}
        return moved

    def _retire(self, dropped: NDArray[np.int64]) -> None:
        """Keep the energy of dropped rows for their pods, as long as the pods have other rows."""
        for slot in dropped:
            pod_uid = self.consumers[slot].pod_uid
            if pod_uid:
                energy_uj = self.columns["energy_uj"][slot]
                retired_uj = self.retired_uj.get(pod_uid)
                if retired_uj is None:
                    self.retired_uj[pod_uid] = energy_uj.copy()
                else:
                    energy_uj = energy_uj.copy()
                    energy_uj[: len(retired_uj)] += retired_uj
                    self.retired_uj[pod_uid] = energy_uj
        dropped_slots = set(dropped.tolist())
        remain = {c.pod_uid for slot, c in enumerate(self.consumers) if slot not in dropped_slots}
        self.retired_uj = {uid: uj for uid, uj in self.retired_uj.items() if uid in remain}

    def begin_tick(self) -> None:
        """Set what is kept per tick to 0."""
        self.columns["tick_ns"][:] = 0
        self.columns["tick_uj"][:] = 0

    def restore(
        self, group: RowGroup, consumer: Consumer, now_ns: Nanoseconds, *, ended: bool
    ) -> int:
        """A row from the state file."""
        slot = self._add(group, replace(consumer, uid=next(self._uids)), now_ns, 0)
        self.columns["born_ns"][slot] = 0  # some time before now
        if ended:
            self._end(slot, now_ns)
        return slot

    def _add(
        self, group: RowGroup, consumer: Consumer, now_ns: Nanoseconds, hold_until_ns: int
    ) -> int:
        slot = self.columns.append(1).start
        self.columns["born_ns"][slot] = now_ns
        self.columns["hold_until_ns"][slot] = hold_until_ns
        self.consumers.append(consumer)
        self.groups.append(group)
        self._slot[group] = slot
        return int(slot)

    def _end(self, slot: int, now_ns: Nanoseconds) -> None:
        self.columns["ended_ns"][slot] = now_ns


def _nameless(group: RowGroup, uid: int) -> Consumer:
    """A consumer as the cgroup path alone tells (rules 6 and 10 of design section 9)."""
    if group.kind == "system":
        name = "system_processes"
        return Consumer(uid, "system", name, "", name, name, "system")
    if group.kind == "kernel":
        name = "kernel_processes"
        return Consumer(uid, "kernel", name, "", name, name, "kernel")
    if group.kind == "ended":
        return Consumer(
            uid, "ended", "", group.pod_uid, container_name="ended", runtime=group.runtime
        )
    return Consumer(uid, "container", group.id, group.pod_uid, runtime=group.runtime)


def _named(consumer: Consumer, workload: Workload) -> Consumer:
    """The same consumer with what a Kubernetes source or an engine knows."""
    new_name = replace(
        consumer,
        container_name=workload.container or consumer.container_name,
        runtime=consumer.runtime or workload.runtime,
        image=workload.image or consumer.image,
    )
    if not workload.pod:
        return new_name
    return replace(
        new_name,
        pod_uid=workload.pod_uid or consumer.pod_uid,
        pod_name=workload.pod,
        namespace=workload.namespace,
        owner_kind=workload.owner_kind,
        owner_name=workload.owner_name,
        labels=workload.labels,
        requests=workload.requests,
    )


def _same_series(one: Consumer, other: Consumer) -> bool:
    """Whether the Prometheus labels of the energy series are the same."""
    return (one.container_id, one.pod_name, one.container_name, one.namespace) == (
        other.container_id,
        other.pod_name,
        other.container_name,
        other.namespace,
    )
