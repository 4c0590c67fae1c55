"""Series of a made node, as a Prometheus that scraped its agent would have them.

Totals are in microjoules; what containers show, what nobody has and what is held add up to the
node in every scrape, as the agent's books do.
"""

from dataclasses import dataclass, field

from wattribute_testing.prometheus import MadeSeries


@dataclass(slots=True)
class MadeContainer:
    """One container: its dynamic CPU energy in each scrape; None: not shown."""

    container_id: str
    totals_uj: list[int | None]
    pod_name: str = ""
    namespace: str = "shop"
    labels: dict[str, str] = field(default_factory=dict)
    request_mcore: int = 0


@dataclass(slots=True)
class MadeNode:
    """One node, scraped at the instants ``times``."""

    name: str
    times: list[float]
    node_uj: list[int]
    """Dynamic, in each scrape."""
    idle_uj: list[int]
    containers: list[MadeContainer] = field(default_factory=list)
    unattributed_uj: list[int] = field(default_factory=list)
    held_uj: list[int] = field(default_factory=list)
    instance: str = ""
    origin: str = "measured"
    more: dict[str, str] = field(default_factory=dict)
    """Target labels beside job and instance."""

    def series(self) -> list[MadeSeries]:
        """All of them."""
        zone = {"component": "cpu", "origin": self.origin}
        source = "rapl-sysfs" if self.origin == "measured" else "trained_power_model"
        ones = ["1"] * len(self.times)
        made = [
            self._made("wattribute_node_info", {"node": self.name, "nested": "false",
                       "provider_id": f"aws:///z/i-{self.name}"}, ones),
            self._made("wattribute_node_joules_total", zone | {"mode": "dynamic"},
                       _joules(self.node_uj)),
            self._made("wattribute_node_joules_total", zone | {"mode": "idle"},
                       _joules(self.idle_uj)),
            self._made("wattribute_zone_power_watts",
                       zone | {"zone": "package-0", "source": source}, ["100"] * len(self.times)),
            self._made("wattribute_zone_power_watts",
                       {"zone": "core-0", "source": source, "origin": self.origin},
                       ["60"] * len(self.times)),
            self._made("wattribute_node_capacity", {"resource": "cpu_mcore"},
                       ["8000"] * len(self.times)),
            self._made("wattribute_unattributed_joules_total", zone, _joules(self.unattributed_uj)),
            self._made("wattribute_birth_held_joules", {"component": "cpu", "mode": "dynamic"},
                       _joules(self.held_uj)),
        ]  # fmt: skip
        if self.origin == "estimated":
            band = zone | {"zone": "package-0", "source": source}
            made += [
                self._made("wattribute_zone_power_low_watts", band, ["50"] * len(self.times)),
                self._made("wattribute_zone_power_high_watts", band, ["200"] * len(self.times)),
                self._made("wattribute_estimator_info", {"model": "m", "version": "1"}, ones),
            ]
        for container in self.containers:
            made += self._container(container, source)
        return [one for one in made if one.samples]

    def _container(self, one: MadeContainer, source: str) -> list[MadeSeries]:
        who = {"container_id": one.container_id}
        names = who | {"pod_name": one.pod_name, "container_namespace": one.namespace,
                       "container_name": "main"}  # fmt: skip
        uid = f"uid-{one.pod_name}"
        totals = one.totals_uj
        shown = ["1" if total is not None else None for total in totals]
        made = [
            self._made("kepler_container_package_joules_total",
                       names | {"mode": "dynamic", "source": source}, _joules(totals)),
            self._made("kepler_container_package_joules_total",
                       names | {"mode": "idle", "source": source}, ["7"] * len(totals)),
            self._made("wattribute_container_info", names | {"pod_uid": uid}, shown),
            self._made("wattribute_container_cpu_seconds_total", who, _joules(totals)),
        ]  # fmt: skip
        if one.labels:
            labels = {f"label_{name}": value for name, value in one.labels.items()}
            made.append(self._made("wattribute_pod_labels", {"pod_uid": uid} | labels, shown))
        if one.request_mcore:
            amounts = [str(one.request_mcore) if total is not None else None for total in totals]
            request = who | {"resource": "cpu_mcore"}
            made.append(self._made("wattribute_container_requests", request, amounts))
        return made

    def _made(
        self, name: str, labels: dict[str, str], values: "list[str] | list[str | None]"
    ) -> MadeSeries:
        target = {"job": "wattribute", "instance": self.instance or f"{self.name}:9102"}
        samples = [(t, v) for t, v in zip(self.times, values, strict=False) if v is not None]
        kept = {key: value for key, value in labels.items() if value}
        return MadeSeries({"__name__": name, **kept, **target, **self.more}, samples)


def _joules(totals_uj: "list[int] | list[int | None]") -> list[str | None]:
    return [None if total is None else f"{total / 1e6:.6f}" for total in totals_uj]
