"""What a page of metrics says, and whether it adds up."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

CONTAINERS = {"cpu": "package", "dram": "dram", "gpu": "gpu", "other": "other"}
"""Component, and what Kepler's family of a container calls it."""


@dataclass(frozen=True, slots=True)
class Page:
    """The samples of one scrape."""

    samples: tuple[tuple[str, Mapping[str, str], float], ...]

    @classmethod
    def of(cls, text: str) -> "Page":
        """Parse the text format."""
        return cls(
            tuple(
                (sample.name, sample.labels, sample.value)
                for family in text_string_to_metric_families(text)
                for sample in family.samples
            )
        )

    def total(self, name: str, **labels: str) -> float:
        """Sum of the samples that have these labels."""
        return sum(value for _, value in self.find(name, **labels))

    def find(self, name: str, **labels: str) -> list[tuple[Mapping[str, str], float]]:
        """The samples that have these labels."""
        return [
            (given, value)
            for found, given, value in self.samples
            if found == name and labels.items() <= given.items()
        ]

    def joules(self, pod_uid: str) -> float:
        """Dynamic energy of a pod; 0 as long as it has no name.

        By its uid, for one of the same name may have been there before.
        """
        return sum(
            self.total(
                "kepler_container_joules_total",
                container_id=labels["container_id"],
                pod_name=labels["pod_name"],
                mode="dynamic",
            )
            for labels, _ in self.find("wattribute_container_info", pod_uid=pod_uid)
            if labels["pod_name"]
        )

    def misfit(self) -> dict[str, float]:
        """By component, the node's joules less everybody's: containers, idle, nobody's, held back.

        The totals of consumers that ended long ago are in the node's and in no row, so this is the
        rule for rises: compare two pages.
        """
        left: dict[str, float] = defaultdict(float)
        for labels, value in self.find("wattribute_node_joules_total"):
            left[labels["component"]] += value
        for component, name in CONTAINERS.items():
            left[component] -= self.total(f"kepler_container_{name}_joules_total")
        for name in (
            "wattribute_idle_joules_total",
            "wattribute_unattributed_joules_total",
            "wattribute_birth_held_joules",
        ):
            for labels, value in self.find(name):
                left[labels["component"]] -= value
        return dict(left)
