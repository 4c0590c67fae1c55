"""Hours of a cluster from a Prometheus-compatible API, node by node, in bounded memory."""

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Final, NamedTuple, Protocol

from wattribute.accounting.ledger import families as fam
from wattribute.accounting.ledger.directory import NodeDirectory
from wattribute.accounting.ledger.families import own
from wattribute.accounting.ledger.reading import HourReading, NodeAddress
from wattribute.accounting.ledger.scraped_hour import Annotations
from wattribute.accounting.promql.matrix import SampleSeries
from wattribute.core.errors import DataInvalid, SourceInterrupted, SourceLimited
from wattribute.core.units import DAY_S, HOUR_S

_BEFORE_S: Final = 300
"""How long before the hour its first scrape may be."""
_BRIDGED_S: Final = DAY_S
"""How far back a node is looked for that no scrape saw when the hour began."""
_SAMPLES: Final = 2_000_000
"""Samples that one question should bring: 60 MB of JSON, and well below Prometheus' limit of
50 million (--query.max-samples)."""
_FIRST_NODES: Final = 8
_ATTEMPTS: Final = 3


class SampleSource(Protocol):
    """What is asked; ``promql.client.Prometheus`` is one."""

    name: str

    def vector(self, query: str, at_s: float) -> list[tuple[dict[str, str], float]]:
        """Return labels and value of each series of an instant query."""
        ...

    def raw(self, selector: str, start_s: float, end_s: float) -> Iterator[SampleSeries]:
        """Yield raw samples in [start_s, end_s]."""
        ...


class _Window(NamedTuple):
    """When and whom a question is about."""

    start_s: float
    end_s: float
    """Unix seconds."""
    instances: list[str]


class Collector:
    """Reads the hours of a cluster from the samples that a server has of its agents."""

    def __init__(
        self,
        source: SampleSource,
        *,
        selector: str = "",
        cluster: str = "",
        annotations: bool = False,
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
        """Return all of time: what Prometheus still has is not known before it is asked."""
        return 0, 1 << 40

    def nodes(self, hour_s: int) -> list[NodeAddress]:
        """Return who was scraped in the hour, without guests whose host is scraped (``nested``).

        Raises:
            SourceFailed: no answer.
        """
        info = _selector(fam.NODE_INFO, "", self._selector)
        labels = "instance, node, exported_node, cluster, exported_cluster, nested"
        rows = self._source.vector(
            f"count by ({labels}) (last_over_time({info}[{HOUR_S}s]))",
            hour_s + HOUR_S,
        )
        instances: dict[tuple[str, str], set[str]] = defaultdict(set)
        for row, _ in rows:
            if row.get("nested") != "true":
                key = (own(row, "cluster") or self._cluster, own(row, "node"))
                instances[key].add(row.get("instance", ""))
        return [NodeAddress(*key, tuple(sorted(instances[key]))) for key in sorted(instances)]

    def read(self, hour_s: int, nodes: Sequence[NodeAddress]) -> Iterator[list[HourReading]]:
        """Yield the hour, a few nodes at a time.

        Raises:
            SourceFailed: no answer, after asking again.
            DataInvalid: the agents do not export what the ledger needs.
        """
        waiting = list(nodes)
        annotations = self._annotated(hour_s) if self._annotations and waiting else {}
        while waiting:
            part = waiting[: self._nodes_at_once]
            before = self.samples
            try:
                readings = self._again(hour_s, part, annotations)
            except SourceLimited:
                if len(part) == 1:
                    raise
                self._nodes_at_once = max(len(part) // 2, 1)
                continue
            waiting = waiting[len(part) :]
            yield readings
            share = _SAMPLES * len(part) / max(self.samples - before, 1)
            self._nodes_at_once = max(1, min(round(share), 4 * self._nodes_at_once, 500))

    def _annotated(self, hour_s: int) -> dict[str, dict[str, str]]:
        """Return the annotations of pods by uid."""
        query = f"last_over_time({fam.POD_ANNOTATIONS}[{HOUR_S}s])"
        return {
            row.get("uid", ""): fam.shown_labels(row, "annotation_")
            for row, _ in self._source.vector(query, hour_s + HOUR_S)
        }

    def _again(
        self, hour_s: int, nodes: Sequence[NodeAddress], annotations: Annotations
    ) -> list[HourReading]:
        """Read; ask again where an answer broke off."""
        for _ in range(_ATTEMPTS - 1):
            with suppress(SourceInterrupted):
                return self._read(hour_s, nodes, annotations)
        return self._read(hour_s, nodes, annotations)

    def _read(
        self, hour_s: int, nodes: Sequence[NodeAddress], annotations: Annotations
    ) -> list[HourReading]:
        instances = sorted({instance for node in nodes for instance in node.instances})
        windows = [_Window(hour_s - _BEFORE_S, hour_s + HOUR_S, instances)]
        node_keys = {(node.cluster, node.node) for node in nodes}
        directory = NodeDirectory(hour_s, self._cluster, node_keys)
        directory.add_nodes(self._ask_nodes(windows[0]))
        for window in self._last_before(hour_s, directory.without_beginning()):
            directory.add_nodes(self._ask_nodes(window))
            windows.insert(0, window)
        directory.settle()
        self._recall(directory, hour_s)
        old = set(directory.with_scrapes_of_kepler_alone())
        for window in windows:
            directory.add_containers(self._ask_containers(fam.CONTAINER_FAMILIES, window))
            among = [instance for instance in window.instances if instance in old]
            if among:
                directory.add_containers(
                    self._ask_containers(tuple(fam.KEPLER_JOULES), window._replace(instances=among))
                )
        if not directory.shows_energy():
            raise DataInvalid(
                f"{self._source.name}: the agents export neither {fam.CONTAINER_JOULES} nor "
                f"{next(iter(fam.KEPLER_JOULES))}; agents of 0.1 need their setting "
                "exporter.metrics: kepler-0.9 (the default), newer ones need none"
            )
        return list(directory.readings(annotations))

    def _recall(self, directory: NodeDirectory, hour_s: int) -> None:
        """Look up what counters were that had ended before the hour, and came back in it."""
        instances = directory.with_counters_that_came_back()
        for family in (fam.NODE_JOULES, fam.UNATTRIBUTED) if instances else ():
            selector = _selector(family, _one_of("instance", instances), self._selector)
            query = f"last_over_time({selector}[{_BRIDGED_S}s])"
            for labels, value in self._source.vector(query, hour_s):
                directory.remember(family, labels, value)

    def _ask_nodes(self, window: _Window) -> Iterator[SampleSeries]:
        """Ask for the nodes' own series, and for the row that says which families are there."""
        names = (*fam.NODE_FAMILIES, fam.CONTAINER_JOULES, *sorted(fam.REWEIGHED_JOULES))
        return self._ask(names, window, f'container_id=~"|{fam.ALWAYS_THERE}"')

    def _ask_containers(self, names: Sequence[str], window: _Window) -> Iterator[SampleSeries]:
        return self._ask(names, window, 'mode=~"|dynamic"')

    def _ask(self, names: Sequence[str], window: _Window, matcher: str) -> Iterator[SampleSeries]:
        instances = _one_of("instance", window.instances)
        selector = _selector("", _one_of("__name__", names), instances, matcher, self._selector)
        for series in self._source.raw(selector, window.start_s, window.end_s):
            self.series += 1
            self.samples += len(series.time_ms)
            yield series

    def _last_before(self, hour_s: int, instances: Sequence[str]) -> Iterator[_Window]:
        """Yield where the last scrapes, within a day, of those are that none saw at the start."""
        if not instances:
            return
        info = _selector(fam.NODE_INFO, _one_of("instance", instances), self._selector)
        rows = self._source.vector(
            f"max by (instance) (max_over_time(timestamp({info})[{_BRIDGED_S}s:60s]))", hour_s
        )
        for row, at_s in rows:
            yield _Window(at_s - 1, at_s + 1, [row.get("instance", "")])


def _selector(family: str, *matchers: str) -> str:
    return f"{family}{{{','.join(matcher for matcher in matchers if matcher)}}}"


def _one_of(label: str, values: Sequence[str]) -> str:
    pattern = "|".join(re.escape(value) for value in values)
    return f"{label}=~{json.dumps(pattern, ensure_ascii=False)}"
