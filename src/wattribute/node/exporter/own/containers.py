"""Containers: who they are, what they reserve, and what they used beside energy."""

from typing import Final

import numpy as np

from wattribute.core.records import Consumer
from wattribute.core.units import NANOSECONDS_PER_MICROSECOND, NANOSECONDS_PER_SECOND
from wattribute.node.exporter.family import Family, Samples, counter, gauge, listed
from wattribute.node.exporter.identity import allowed_labels, container_id_of, container_style
from wattribute.node.exporter.labels import block
from wattribute.node.exporter.scene import Scene

_CONTAINER: Final = ("container_id",)


def _info(scene: Scene) -> Samples | None:
    series = scene.containers(container_style)
    consumers = [scene.snapshot.containers.consumers[row] for row in series.rows.tolist()]
    return Samples(
        np.ones(len(consumers), np.int64),
        lambda: [_info_block(consumer) for consumer in consumers],
        series.key,
    )


def _info_block(consumer: Consumer) -> str:
    return block(
        (
            ("container_id", container_id_of(consumer)),
            ("pod_uid", consumer.pod_uid),
            ("pod_name", consumer.pod_name),
            ("container_namespace", consumer.namespace),
            ("container_name", consumer.container_name),
            ("owner_kind", consumer.owner_kind),
            ("owner_name", consumer.owner_name),
            ("runtime", consumer.runtime),
        )
    )


def _pod_labels(scene: Scene) -> Samples | None:
    """Return one series per pod, of the newest row that has labels."""
    newest: dict[str, Consumer] = {}
    for consumer in scene.snapshot.containers.consumers:
        if consumer.pod_uid and consumer.labels:
            candidate = newest.get(consumer.pod_uid)
            if candidate is None or candidate.uid < consumer.uid:
                newest[consumer.pod_uid] = consumer
    return listed(
        (
            {
                "pod_uid": uid,
                "container_namespace": consumer.namespace,
                **allowed_labels(consumer, scene.pod_labels),
            },
            1,
        )
        for uid, consumer in newest.items()
    )


def _requests(scene: Scene) -> Samples | None:
    table = scene.snapshot.containers
    series = scene.containers(container_style)
    return listed(
        ({"container_id": container_id_of(consumer), "resource": resource}, amount)
        for row in series.rows.tolist()
        if table.alive[row]
        for consumer in (table.consumers[row],)
        for resource, amount in sorted(consumer.requests.items())
    )


def _capacity(scene: Scene) -> Samples | None:
    return listed(
        ({"resource": resource}, amount)
        for resource, amount in sorted(scene.snapshot.capacity.items())
    )


def _cpu_seconds(scene: Scene) -> Samples | None:
    table = scene.snapshot.containers
    series = scene.containers(container_style)
    cpu_ns = np.where(table.held, 0, table.cpu_ns)[series.rows]
    return Samples(cpu_ns // NANOSECONDS_PER_MICROSECOND, lambda: series.labels, series.key)


def _gpu_seconds(scene: Scene) -> Samples | None:
    table = scene.snapshot.containers
    if table.gpu_ns is None:
        return None
    series = scene.containers(container_style)
    gpu_ns = np.where(table.held, 0, table.gpu_ns)[series.rows]
    return Samples(gpu_ns // NANOSECONDS_PER_MICROSECOND, lambda: series.labels, series.key)


def _memory_byte_seconds(scene: Scene) -> Samples | None:
    table = scene.snapshot.containers
    series = scene.containers(container_style)
    byte_ns = np.where(table.held, 0.0, table.memory_byte_ns)[series.rows]
    whole = (byte_ns / NANOSECONDS_PER_SECOND).astype(np.int64)
    return Samples(whole, lambda: series.labels, series.key)


FAMILIES: Final[tuple[Family, ...]] = (
    gauge("wattribute_container_info", "Who a container is: 1.",
          ("container_id", "pod_uid", "pod_name", "container_namespace", "container_name",
           "owner_kind", "owner_name", "runtime"), _info, decimals=0),
    gauge("wattribute_pod_labels", "Labels of a pod, as far as exporter.pod_labels allows: 1.",
          ("pod_uid", "container_namespace", "label_*"), _pod_labels, decimals=0),
    gauge("wattribute_container_requests",
          "What a running container has reserved; the resource's name says the unit.",
          ("container_id", "resource"), _requests, decimals=0),
    gauge("wattribute_node_capacity", "What this node has; the resource's name says the unit.",
          ("resource",), _capacity, decimals=0),
    counter("wattribute_container_cpu_seconds_total", "CPU time of a container.",
            _CONTAINER, _cpu_seconds),
    counter("wattribute_container_memory_byte_seconds_total",
            "Memory of a container times time; 0 where memory is not known.",
            _CONTAINER, _memory_byte_seconds, decimals=0),
    counter("wattribute_container_gpu_seconds_total",
            "Time of a container on GPUs' processors; a whole GPU for a second is 1.",
            _CONTAINER, _gpu_seconds),
)  # fmt: skip
