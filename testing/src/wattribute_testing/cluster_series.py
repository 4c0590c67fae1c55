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
    only_kepler: bool = False
    """As agents of 0.1: energy of containers has Kepler's names alone."""
    more: dict[str, str] = field(default_factory=dict)
    """Target labels beside job and instance."""

    def series(self) -> list[MadeSeries]:
        """Return all of them."""
        zone = {"component": "cpu", "origin": self.origin}
        source = "rapl-sysfs" if self.origin == "measured" else "trained_power_model"
        ones = ["1"] * len(self.times)
        rows = [
            self._one_series(
                "wattribute_node_info",
                {"node": self.name, "nested": "false", "provider_id": f"aws:///z/i-{self.name}"},
                ones,
            ),
            self._one_series(
                "wattribute_node_joules_total", zone | {"mode": "dynamic"}, _joules(self.node_uj)
            ),
            self._one_series(
                "wattribute_node_joules_total", zone | {"mode": "idle"}, _joules(self.idle_uj)
            ),
            self._one_series(
                "wattribute_zone_power_watts",
                zone | {"zone": "package-0", "source": source},
                ["100"] * len(self.times),
            ),
            self._one_series(
                "wattribute_zone_power_watts",
                {"zone": "core-0", "source": source, "origin": self.origin},
                ["60"] * len(self.times),
            ),
            self._one_series(
                "wattribute_node_capacity", {"resource": "cpu_mcore"}, ["8000"] * len(self.times)
            ),
            self._one_series(
                "wattribute_unattributed_joules_total", zone, _joules(self.unattributed_uj)
            ),
            self._one_series(
                "wattribute_birth_held_joules",
                {"component": "cpu", "mode": "dynamic"},
                _joules(self.held_uj),
            ),
        ]
        if self.origin == "estimated":
            band = zone | {"zone": "package-0", "source": source}
            rows += [
                self._one_series("wattribute_zone_power_low_watts", band, ["50"] * len(self.times)),
                self._one_series(
                    "wattribute_zone_power_high_watts", band, ["200"] * len(self.times)
                ),
                self._one_series("wattribute_estimator_info", {"model": "m", "version": "1"}, ones),
            ]
        if not self.only_kepler:
            system = {"container_id": "system_processes", "pod_name": "system_processes"}
            rows += self._own(system, _joules([0] * len(self.times)))
        for container in self.containers:
            rows += self._container(container, source)
        return [row for row in rows if row.samples]

    def _container(self, container: MadeContainer, source: str) -> list[MadeSeries]:
        identity = {"container_id": container.container_id}
        names = identity | {
            "pod_name": container.pod_name,
            "container_namespace": container.namespace,
            "container_name": "main",
        }
        uid = f"uid-{container.pod_name}"
        totals = container.totals_uj
        presence = ["1" if total is not None else None for total in totals]
        rows = [
            self._one_series(
                "kepler_container_package_joules_total",
                names | {"mode": "dynamic", "source": source},
                _joules(totals),
            ),
            self._one_series(
                "kepler_container_package_joules_total",
                names | {"mode": "idle", "source": source},
                ["7"] * len(totals),
            ),
            self._one_series("wattribute_container_info", names | {"pod_uid": uid}, presence),
            self._one_series("wattribute_container_cpu_seconds_total", identity, _joules(totals)),
        ]
        if not self.only_kepler:
            rows += self._own(names, _joules(totals))
        if container.labels:
            labels = {f"label_{name}": value for name, value in container.labels.items()}
            rows.append(
                self._one_series("wattribute_pod_labels", {"pod_uid": uid} | labels, presence)
            )
        if container.request_mcore:
            amounts = [
                str(container.request_mcore) if total is not None else None for total in totals
            ]
            request = identity | {"resource": "cpu_mcore"}
            rows.append(self._one_series("wattribute_container_requests", request, amounts))
        return rows

    def _own(self, names: dict[str, str], dynamic: list[str | None]) -> list[MadeSeries]:
        zone = names | {"component": "cpu", "origin": self.origin}
        name = "wattribute_container_joules_total"
        return [
            self._one_series(name, zone | {"mode": "dynamic"}, dynamic),
            self._one_series(name, zone | {"mode": "idle"}, ["7"] * len(dynamic)),
        ]

    def _one_series(
        self, name: str, labels: dict[str, str], values: "list[str] | list[str | None]"
    ) -> MadeSeries:
        target = {"job": "wattribute", "instance": self.instance or f"{self.name}:9102"}
        samples = [(t, v) for t, v in zip(self.times, values, strict=False) if v is not None]
        given = {key: value for key, value in labels.items() if value}
        return MadeSeries({"__name__": name, **given, **target, **self.more}, samples)


def _joules(totals_uj: "list[int] | list[int | None]") -> list[str | None]:
    return [None if total is None else f"{total / 1e6:.6f}" for total in totals_uj]
