"""Hours of a cluster from a Prometheus-compatible API, node by node, in bounded memory."""

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Protocol

from wattribute.accounting.ledger import families as fam
from wattribute.accounting.ledger.families import Target, own, target_of
from wattribute.accounting.ledger.node_hour import NodeHour, NodeIdentity
from wattribute.accounting.promql.matrix import Series
from wattribute.core.errors import DataInvalid, SourceInterrupted, SourceLimited

_HOUR_S: Final = 3600
_BEFORE_S: Final = 300
"""How long before the hour its first scrape may be."""
_BRIDGED_S: Final = 86_400
"""How far back a node is looked for that no scrape saw when the hour began."""
_SAMPLES: Final = 2_000_000
"""Samples that one question should bring: 60 MB of JSON, and well below Prometheus' limit of
50 million (--query.max-samples)."""
_FIRST_NODES: Final = 8
_ATTEMPTS: Final = 3


class Source(Protocol):
    """What is asked; ``promql.client.Prometheus`` is one."""

    name: str

    def vector(self, query: str, at_s: float) -> list[tuple[dict[str, str], float]]:
        """Labels and value of each series of an instant query."""
        ...

    def raw(self, selector: str, start_s: float, end_s: float) -> Iterator[Series]:
        """Raw samples in [start_s, end_s]."""
        ...


@dataclass(frozen=True, slots=True)
class Found:
    """A node that was scraped in an hour: its name, and the addresses that it had."""

    cluster: str
    node: str
    instances: tuple[str, ...]


class Collector:
    """Reads hours."""

    def __init__(
        self, source: Source, *, selector: str = "", cluster: str = "", annotations: bool = False
    ) -> None:
        """Take a source.

        Args:
            source: what is asked.
            selector: matchers for every query about nodes.
            cluster: name of the cluster of nodes that do not say theirs.
            annotations: ask kube-state-metrics for pods' annotations, too.
        """
        self._source = source
        self._selector = selector.strip().strip(",")
        self._cluster = cluster
        self._annotations = annotations
        self._nodes_at_once = _FIRST_NODES
        self.samples = self.series = 0
        """Read so far."""
        self.problems: list[str] = []

    def hours(self) -> tuple[int, int]:
        """All of time: what Prometheus still has is not known before it is asked."""
        return 0, 1 << 40

    def nodes(self, hour_s: int) -> list[Found]:
        """Who was scraped in the hour; a guest whose host is scraped too (``nested``) is not one.

        Raises:
            SourceFailed: no answer.
        """
        info = _selector(fam.NODE_INFO, "", self._selector)
        labels = "instance, node, exported_node, cluster, exported_cluster, nested"
        rows = self._source.vector(
            f"count by ({labels}) (last_over_time({info}[{_HOUR_S}s]))", hour_s + _HOUR_S
        )
        found: dict[tuple[str, str], set[str]] = defaultdict(set)
        for row, _ in rows:
            if row.get("nested") != "true":
                key = (own(row, "cluster") or self._cluster, own(row, "node"))
                found[key].add(row.get("instance", ""))
        return [Found(*key, tuple(sorted(found[key]))) for key in sorted(found)]

    def read(self, hour_s: int, nodes: Sequence[Found]) -> Iterator[list[NodeHour]]:
        """The books of the hour, a few nodes at a time.

        Raises:
            SourceFailed: no answer, after asking again.
            DataInvalid: the agents do not export what the ledger needs.
        """
        left = list(nodes)
        annotations = self._annotated(hour_s) if self._annotations and left else {}
        while left:
            part = left[: self._nodes_at_once]
            before = self.samples
            try:
                hours = self._again(hour_s, part)
            except SourceLimited:
                if len(part) == 1:
                    raise
                self._nodes_at_once = max(len(part) // 2, 1)
                continue
            left = left[len(part) :]
            for hour in hours:
                hour.pod_annotations = annotations
            yield hours
            share = _SAMPLES * len(part) / max(self.samples - before, 1)
            self._nodes_at_once = max(1, min(round(share), 4 * self._nodes_at_once, 500))

    def _annotated(self, hour_s: int) -> dict[str, dict[str, str]]:
        """Annotations of pods by uid."""
        query = f"last_over_time({fam.POD_ANNOTATIONS}[{_HOUR_S}s])"
        return {
            row.get("uid", ""): fam.shown_labels(row, "annotation_")
            for row, _ in self._source.vector(query, hour_s + _HOUR_S)
        }

    def _again(self, hour_s: int, nodes: Sequence[Found]) -> list[NodeHour]:
        for _ in range(_ATTEMPTS - 1):
            with suppress(SourceInterrupted):
                return self._read(hour_s, nodes)
        return self._read(hour_s, nodes)

    def _read(self, hour_s: int, nodes: Sequence[Found]) -> list[NodeHour]:
        instances = sorted({instance for node in nodes for instance in node.instances})
        start_s, end_s = hour_s - _BEFORE_S, hour_s + _HOUR_S
        wanted = {(node.cluster, node.node) for node in nodes}
        book = _Book(hour_s, self._cluster, wanted)
        book.add_nodes(self._ask(fam.NODE_FAMILIES, instances, start_s, end_s))
        windows: list[tuple[float, float, list[str]]] = [(start_s, end_s, instances)]
        for last_s, lost in self._last_before(hour_s, book.without_beginning()):
            window = (last_s - 1, last_s + 1, lost)
            book.add_nodes(self._ask(fam.NODE_FAMILIES, window[2], window[0], window[1]))
            windows.insert(0, window)
        hours = [hour for hour in book.hours() if hour.settle()]
        book.route(hours)
        self._recall(book, hour_s)
        for begin_s, until_s, whose in windows:
            book.add_containers(self._ask(fam.CONTAINER_FAMILIES, whose, begin_s, until_s))
        for hour in hours:
            hour.close()
        if hours and not any(
            consumer.energy_uj for h in hours for consumer in h.consumers.values()
        ):
            raise DataInvalid(
                f"{self._source.name}: the agents export no kepler_container_package_joules_total; "
                "the ledger needs their setting exporter.metrics: kepler-0.9 (the default)"
            )
        return hours

    def _recall(self, book: "_Book", hour_s: int) -> None:
        """Look up what counters were that had ended before the hour, and came back in it."""
        instances = book.instances_of({key for key, hour in book.by_key() if hour.came_back()})
        for family in (fam.NODE_JOULES, fam.UNATTRIBUTED) if instances else ():
            which = _selector(family, _one_of("instance", instances), self._selector)
            query = f"last_over_time({which}[{_BRIDGED_S}s])"
            for labels, value in self._source.vector(query, hour_s):
                book.remember(family, labels, value)

    def _ask(
        self, names: Sequence[str], instances: Sequence[str], start_s: float, end_s: float
    ) -> Iterator[Series]:
        matchers = [_one_of("instance", instances), 'mode=~"|dynamic"']
        if names == fam.NODE_FAMILIES:
            matchers.pop()
        selector = _selector("", _one_of("__name__", names), *matchers, self._selector)
        for series in self._source.raw(selector, start_s, end_s):
            self.series += 1
            self.samples += len(series.time_ms)
            yield series

    def _last_before(
        self, hour_s: int, instances: Sequence[str]
    ) -> Iterator[tuple[float, list[str]]]:
        """Instants of the last scrapes, within a day, of those that none saw as the hour began."""
        if not instances:
            return
        info = _selector(fam.NODE_INFO, _one_of("instance", instances), self._selector)
        rows = self._source.vector(
            f"max by (instance) (max_over_time(timestamp({info})[{_BRIDGED_S}s:60s]))", hour_s
        )
        for row, at_s in rows:
            yield at_s, [row.get("instance", "")]


class _Book:
    """Which series belongs to which node's hour."""

    def __init__(self, hour_s: int, cluster: str, wanted: set[tuple[str, str]]) -> None:
        self._hour_s = hour_s
        self._cluster = cluster
        self._wanted = wanted
        self._hours: dict[tuple[str, str], NodeHour] = {}
        self._directory: dict[Target, dict[str, tuple[str, str]]] = {}
        """By target and the ``cluster`` label of its series: cluster and node."""

    def add_nodes(self, found: Iterator[Series]) -> None:
        series = list(found)  # a few dozen for each node
        for one in series:
            if one.labels["__name__"] == fam.NODE_INFO and own(one.labels, "nested") != "true":
                self._introduce(one.labels)
        for one in series:
            target = target_of(one.labels)
            if (hour := self._hour_of(target, one.labels)) is not None:
                hour.add_node_series(target, one)

    def _introduce(self, labels: Mapping[str, str]) -> None:
        key = (own(labels, "cluster") or self._cluster, own(labels, "node"))
        self._directory.setdefault(target_of(labels), {})[labels.get("cluster", "")] = key
        if key in self._wanted and key not in self._hours:
            facts = (own(labels, name) for name in ("provider_id", "instance_type", "region"))
            self._hours[key] = NodeHour(NodeIdentity(*key, *facts), self._hour_s)

    def _hour_of(self, target: Target, labels: Mapping[str, str]) -> NodeHour | None:
        by_cluster = self._directory.get(target, {})
        if len(by_cluster) == 1:
            return self._hours.get(next(iter(by_cluster.values())))
        key = by_cluster.get(labels.get("cluster", ""))
        return None if key is None else self._hours.get(key)

    def without_beginning(self) -> list[str]:
        """Instances of the nodes that no scrape saw as the hour began."""
        late = {
            key
            for key, hour in self._hours.items()
            if (first := hour.first_scrape_ms()) is None or first > self._hour_s * 1000
        }
        return self.instances_of(late)

    def instances_of(self, keys: set[tuple[str, str]]) -> list[str]:
        """Addresses of these nodes."""
        return sorted(
            dict(target).get("instance", "")
            for target, by_cluster in self._directory.items()
            if keys.intersection(by_cluster.values())
        )

    def by_key(self) -> list[tuple[tuple[str, str], NodeHour]]:
        """The hours by cluster and node."""
        return list(self._hours.items())

    def remember(self, family: str, labels: Mapping[str, str], value: float) -> None:
        """Pass a value from before the hour on to its node."""
        if (hour := self._hour_of(target_of(labels), labels)) is not None:
            hour.remember(family, labels, value)

    def hours(self) -> list[NodeHour]:
        return list(self._hours.values())

    def route(self, hours: list[NodeHour]) -> None:
        """Only these hours take containers."""
        self._hours = {(hour.identity.cluster, hour.identity.node): hour for hour in hours}

    def add_containers(self, found: Iterator[Series]) -> None:
        for one in found:
            target = target_of(one.labels)
            if (hour := self._hour_of(target, one.labels)) is not None:
                hour.add_container_series(target, one)


def _selector(family: str, *matchers: str) -> str:
    return f"{family}{{{','.join(matcher for matcher in matchers if matcher)}}}"


def _one_of(label: str, values: Sequence[str]) -> str:
    pattern = "|".join(re.escape(value) for value in values)
    return f"{label}=~{json.dumps(pattern, ensure_ascii=False)}"
