"""The hour that is running: what is added up from tick to tick, and the line it makes."""

from typing import Any

import numpy as np

from wattribute.core.records import (
    HOUR_SCHEMA,
    Consumer,
    ConsumerHour,
    ContainerTable,
    EstimateBand,
    HourChannel,
    Snapshot,
    ZoneTotal,
    shared_longest,
)
from wattribute.core.units import HOUR_S, NANOSECONDS_PER_SECOND
from wattribute.node.exporter.identity import allowed_labels, container_id_of
from wattribute.node.exporter.scene import NodeLabels
from wattribute.node.exporter.spool.baseline import Amounts, Baseline
from wattribute.node.exporter.spool.folder import SpoolLine


class RunningHour:
    """One hour, or the part of it that this run of the agent sees."""

    def __init__(
        self,
        hour_s: int,
        line_id: str,
        baseline: Baseline,
        node: NodeLabels,
        pod_labels: tuple[str, ...],
    ) -> None:
        """Begin an hour.

        Args:
            hour_s: its start, Unix seconds.
            line_id: of the line that it becomes; no other line has it.
            baseline: the totals that the hour begins with.
            node: what the node is called.
            pod_labels: the allow-list of pods' labels.
        """
        self.hour_s = hour_s
        self._line_id = line_id
        self._baseline = baseline
        self._node = node
        self._pod_labels = pod_labels
        self._covered_s = 0.0
        self._alive_s: dict[int, float] = {}
        """By uid of the consumer."""
        self._request_s: dict[int, dict[str, float]] = {}
        """By uid of the consumer, then resource."""
        self._capacity_s: dict[str, float] = {}
        self._band_uj: dict[str, EstimateBand] = {}
        """By component."""
        self._shared_s: dict[str, dict[str, float]] = {}
        """By component, then what its energy was shared by."""
        self._ended: list[ConsumerHour] = []

    def spend(self, snapshot: Snapshot, time_s: float) -> None:
        """Add so much time, in which all was as in this snapshot."""
        self._covered_s += time_s
        for resource, amount in snapshot.capacity.items():
            self._capacity_s[resource] = self._capacity_s.get(resource, 0) + amount * time_s
        table = snapshot.containers
        for row in np.flatnonzero(table.alive).tolist():
            consumer = table.consumers[row]
            self._alive_s[consumer.uid] = self._alive_s.get(consumer.uid, 0.0) + time_s
            if consumer.requests:
                reserved = self._request_s.setdefault(consumer.uid, {})
                for resource, amount in consumer.requests.items():
                    reserved[resource] = reserved.get(resource, 0.0) + amount * time_s
        for total in snapshot.node.zones:
            self._add_band(total, time_s)
        for weight in snapshot.weights:
            if weight.zone.component:
                times_s = self._shared_s.setdefault(weight.zone.component, {})
                times_s[weight.shared_by] = times_s.get(weight.shared_by, 0.0) + time_s

    def _add_band(self, total: ZoneTotal, time_s: float) -> None:
        component = total.zone.component
        if total.low_uw is not None and total.high_uw is not None and component:
            band = self._band_uj.get(component, EstimateBand(0.0, 0.0, 0.0))
            self._band_uj[component] = EstimateBand(
                band.low_uj + total.low_uw * time_s,
                band.middle_uj + total.power_uw * time_s,
                band.high_uj + total.high_uw * time_s,
            )

    def bury(self, last: Snapshot, snapshot: Snapshot) -> None:
        """Keep what those rows used in the hour that the new snapshot shows no more."""
        if last.containers.consumers is snapshot.containers.consumers:
            return
        uids = {consumer.uid for consumer in snapshot.containers.consumers}
        for row, consumer in enumerate(last.containers.consumers):
            if consumer.uid not in uids:
                amounts = self._consumer(last.containers, row)
                if _is_used(amounts):
                    self._ended.append(amounts)
                self._baseline.forget(consumer.uid)

    def line(self, snapshot: Snapshot) -> SpoolLine:
        """Return the hour up to a snapshot."""
        facts, info, node = snapshot.node_facts, snapshot.estimator, self._node
        rows = range(len(snapshot.containers.consumers))
        consumers = [self._consumer(snapshot.containers, row) for row in rows]
        risen = self._baseline.node_risen(snapshot.node)
        return SpoolLine(
            schema=HOUR_SCHEMA,
            id=self._line_id,
            hour_s=self.hour_s,
            covered_s=min(self._covered_s, HOUR_S),
            node=node.name,
            provider_id=facts.provider_id or node.provider_id,
            instance_type=facts.instance_type or node.instance_type,
            region=facts.region or node.region,
            cluster=node.cluster,
            nested=node.nested,
            model=f"{info.model} {info.version}" if info else "",
            channels=[
                HourChannel(channel.component or "", channel.source, str(channel.origin))
                for channel in snapshot.channels
            ],
            node_uj=risen.energy_uj,
            unattributed_uj=risen.unattributed_uj,
            capacity_s=self._capacity_s,
            band_uj=self._band_uj,
            consumers=[*self._ended, *filter(_is_used, consumers)],
            shared_by=shared_longest(self._shared_s),
        )

    def _consumer(self, table: ContainerTable, row: int) -> ConsumerHour:
        consumer = table.consumers[row]
        risen = self._baseline.risen(table, row)
        return ConsumerHour(
            container_id=container_id_of(consumer),
            pod_uid=consumer.pod_uid,
            pod=consumer.pod_name,
            container=consumer.container_name,
            namespace=consumer.namespace,
            owner_kind=consumer.owner_kind,
            owner_name=consumer.owner_name,
            labels=_labels(consumer, self._pod_labels),
            energy_uj=risen.energy_uj.tolist(),
            cpu_ns=risen.cpu_ns,
            memory_byte_s=int(risen.memory_byte_ns / NANOSECONDS_PER_SECOND),
            gpu_ns=risen.gpu_ns,
            alive_s=self._alive_s.get(consumer.uid, 0.0),
            request_s=self._request_s.get(consumer.uid, {}),
            **_reweighed(risen),
        )


def _reweighed(risen: Amounts) -> dict[str, Any]:
    """Return the fields that differ from the energy; most rows of most hours have none."""
    return {
        name: amount_uj.tolist()
        for name, amount_uj in risen.reweighed_uj.items()
        if (amount_uj != risen.energy_uj).any()
    }


def _is_used(consumer: ConsumerHour) -> bool:
    return bool(any(consumer.energy_uj) or consumer.cpu_ns or consumer.alive_s)


def _labels(consumer: Consumer, allowed: tuple[str, ...]) -> dict[str, str]:
    """Return the labels that the allow-list names, under the names that Prometheus shows."""
    by_metric_label = allowed_labels(consumer, allowed)
    return {name.removeprefix("label_"): value for name, value in by_metric_label.items()}
