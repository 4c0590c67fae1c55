"""Which scraped series belongs to which node.

Its target says it, together with its cluster where two clusters have a target of the same labels.
"""

from collections.abc import Iterable, Iterator

from wattribute.accounting.ledger import families as fam
from wattribute.accounting.ledger.container_scrapes import ContainerScrapes
from wattribute.accounting.ledger.families import Labels, Target, own, target_of
from wattribute.accounting.ledger.node_scrapes import NodeScrapes
from wattribute.accounting.ledger.reading import HourReading
from wattribute.accounting.ledger.scraped_hour import Annotations, reading_of
from wattribute.accounting.promql.matrix import SampleSeries
from wattribute.core.units import MILLISECONDS_PER_SECOND

NodeKey = tuple[str, str]
"""Cluster and name of a node."""


class NodeDirectory:
    """The nodes that are wanted of one hour, and the series that came in for them."""

    def __init__(self, hour_s: int, cluster: str, wanted: set[NodeKey]) -> None:
        """Begin with no series.

        Args:
            hour_s: the hour's start, Unix seconds.
            cluster: the cluster of nodes that do not say theirs.
            wanted: the nodes whose series are kept.
        """
        self._hour_s = hour_s
        self._cluster = cluster
        self._wanted = wanted
        self._nodes: dict[NodeKey, NodeScrapes] = {}
        self._containers: dict[NodeKey, ContainerScrapes] = {}
        self._keys: dict[Target, dict[str, NodeKey]] = {}
        """By target and the ``cluster`` label of its series."""

    def add_nodes(self, answer: Iterable[SampleSeries]) -> None:
        """Take series of ``NODE_FAMILIES``; those that name the node may come last."""
        every = list(answer)  # a few dozen for each node
        for series in every:
            labels = series.labels
            if labels["__name__"] == fam.NODE_INFO and own(labels, "nested") != "true":
                self._introduce(labels)
        for series in every:
            target = target_of(series.labels)
            key = self._key_of(target, series.labels)
            if key in self._nodes:
                self._nodes[key].add(target, series)

    def _introduce(self, labels: Labels) -> None:
        key = (own(labels, "cluster") or self._cluster, own(labels, "node"))
        self._keys.setdefault(target_of(labels), {})[labels.get("cluster", "")] = key
        if key in self._wanted and key not in self._nodes:
            self._nodes[key] = NodeScrapes(self._hour_s, labels)

    def _key_of(self, target: Target, labels: Labels) -> NodeKey | None:
        by_cluster = self._keys.get(target, {})
        if len(by_cluster) == 1:
            return next(iter(by_cluster.values()))
        return by_cluster.get(labels.get("cluster", ""))

    def without_beginning(self) -> list[str]:
        """Return the addresses of the nodes that no scrape saw as the hour began."""
        hour_ms = self._hour_s * MILLISECONDS_PER_SECOND
        return self._instances_of(
            key
            for key, node in self._nodes.items()
            if (first_ms := node.first_scrape_ms()) is None or first_ms > hour_ms
        )

    def settle(self) -> None:
        """Lay out the scrapes of all nodes; those without one in the hour are left out."""
        self._nodes = {key: node for key, node in self._nodes.items() if node.settle()}
        self._containers = {key: ContainerScrapes(node) for key, node in self._nodes.items()}

    def with_counters_that_came_back(self) -> list[str]:
        """Return the addresses of the nodes of which a counter was not there as the hour began."""
        return self._instances_of(key for key, node in self._nodes.items() if node.came_back())

    def with_scrapes_of_kepler_alone(self) -> list[str]:
        """Return the addresses of the nodes that have scrapes without our own family."""
        return self._instances_of(
            key for key, node in self._nodes.items() if not node.own_steps().all()
        )

    def remember(self, family: str, labels: Labels, value: float) -> None:
        """Pass a value from before the hour on to its node."""
        key = self._key_of(target_of(labels), labels)
        if key in self._nodes:
            self._nodes[key].remember(family, labels, value)

    def add_containers(self, answer: Iterable[SampleSeries]) -> None:
        """Take series of containers."""
        for series in answer:
            target = target_of(series.labels)
            key = self._key_of(target, series.labels)
            if key in self._containers:
                self._containers[key].add(target, series)

    def shows_energy(self) -> bool:
        """Tell whether there is energy of containers, or no node that could have any."""
        return not self._nodes or any(node.shows_energy for node in self._containers.values())

    def readings(self, annotations: Annotations) -> Iterator[HourReading]:
        """Yield the hour of each node: no more series will come."""
        for key, node in self._nodes.items():
            containers = self._containers[key]
            containers.close()
            yield reading_of(*key, node, containers, annotations)

    def _instances_of(self, keys: Iterable[NodeKey]) -> list[str]:
        of_nodes = set(keys)
        return sorted(
            dict(target).get("instance", "")
            for target, by_cluster in self._keys.items()
            if of_nodes.intersection(by_cluster.values())
        )
