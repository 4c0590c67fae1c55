"""How containers, pods and zones are called in everything that the agent exports."""

from collections.abc import Sequence
from typing import Final

from wattribute.core.records import Consumer
from wattribute.node.exporter.labels import block, label_name

_SPECIAL: Final = {"system": "system_processes", "kernel": "kernel_processes"}
"""Ids of the rows of what runs in no container, by kind."""


def container_id_of(consumer: Consumer) -> str:
    """Return the ``container_id`` of a container row; no two rows that count have the same.

    The row of a pod's removed cgroups has no container. It is called after its pod.
    """
    if consumer.container_id:
        return consumer.container_id
    if consumer.kind == "ended":
        return f"ended-{consumer.pod_uid}" if consumer.pod_uid else "ended"
    return _SPECIAL.get(consumer.kind, "")


def container_style(consumer: Consumer, _alive: bool) -> str:  # noqa: FBT001 - a column's value
    """Return the label text of a container row in our own families: its id alone."""
    return block((("container_id", container_id_of(consumer)),))


def named_container_style(consumer: Consumer, _alive: bool) -> str:  # noqa: FBT001 - a column's value
    """Return the label text of a container row's energy: its id, and the names that people know.

    A row whose names become known late is followed by a row with the same id. The names keep their
    series apart, so that no joule of either is lost, and let energy be summed by namespace or pod
    without a join.
    """
    return block(
        (
            ("container_id", container_id_of(consumer)),
            ("pod_name", consumer.pod_name),
            ("container_name", consumer.container_name),
            ("container_namespace", consumer.namespace),
        )
    )


def allowed_labels(consumer: Consumer, allowed: Sequence[str]) -> dict[str, str]:
    """Return the labels of a consumer's pod that the allow-list names, by their metric labels.

    Two keys may make one label name (``a.b`` and ``a/b``): the later ones get
    ``_conflict1`` and so on, as kube-state-metrics has it.
    """
    exact = {pattern for pattern in allowed if not pattern.endswith("*")}
    prefixes = tuple(pattern[:-1] for pattern in allowed if pattern.endswith("*"))
    by_metric_label: dict[str, str] = {}
    for key in sorted(consumer.labels):
        if key in exact or (prefixes and key.startswith(prefixes)):
            name = base = f"label_{label_name(key)}"
            number = 0
            while name in by_metric_label:
                number += 1
                name = f"{base}_conflict{number}"
            by_metric_label[name] = consumer.labels[key]
    return by_metric_label
