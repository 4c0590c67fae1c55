"""Rules on nodes whose power is known, scraped as an operator's Prometheus does: by promtool."""

import json
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

RULES = Path(__file__).parents[2] / "charts/wattribute/files/rules"

STEP_S = 30  # between two scrapes
OPERATOR = {
    "job": "wattribute",
    "namespace": "wattribute-system",
    "container": "agent",
    "endpoint": "http",
    "service": "wattribute",
}
KINDS = {"cpu": "package", "dram": "dram", "gpu": "gpu", "other": "other"}

Series = dict[str, str]


def steady(value: float = 1, minutes: int = 130) -> str:
    """A value that stays."""
    return f"{value}x{minutes * 60 // STEP_S}"


def watts(power: float, minutes: int = 130, start: float = 0) -> str:
    """Joules of a counter that rises by so many watts."""
    return f"{start}+{power * STEP_S:g}x{minutes * 60 // STEP_S}"


def series(name: str, values: str, **labels: str) -> Series:
    inside = ",".join(f'{key}="{value}"' for key, value in labels.items())
    return {"series": f"{name}{{{inside}}}", "values": values}


def target(instance: str, agent: str = "wattribute-1") -> dict[str, str]:
    """What the operator puts on every series; honor_labels is false."""
    return {**OPERATOR, "instance": instance, "pod": agent}


@dataclass(frozen=True)
class Container:
    """Dynamic and idle watts of one container, by component."""

    id: str
    namespace: str = ""
    pod: str = ""
    name: str = ""
    owner: tuple[str, str] = ("", "")
    pod_uid: str = ""
    team: str = ""
    watts: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    requests: Mapping[str, int] = field(default_factory=dict)
    cores: float = 0
    memory_bytes: int = 0


SYSTEM = Container("system_processes", "system", "system_processes", "system_processes")
WEB = Container(
    id="c1",
    namespace="shop",
    pod="web-7d9c5b6f4-x",
    name="web",
    owner=("Deployment", "web"),
    pod_uid="u1",
    team="storefront",
    watts={"cpu": (10, 2), "dram": (1, 0.5)},
    requests={"cpu_mcore": 2000, "memory_bytes": 4000},
    cores=0.5,
    memory_bytes=1000,
)


def node(
    instance: str = "node-a",
    containers: Sequence[Container] = (SYSTEM, WEB),
    *,
    idle: float = 8,
    unattributed: float = 0,
    origin: str = "measured",
    nested: bool = False,
    agent: str = "wattribute-1",
    minutes: int = 130,
    tail: str = "",
) -> list[Series]:
    """One node whose total is the sum of what is given; ``idle`` watts are nobody's."""
    labels = target(instance, agent)
    source = "trained_power_model" if origin == "estimated" else "rapl-sysfs"
    total: dict[tuple[str, int], float] = {}
    found: list[Series] = []

    def add(name: str, values: str, **own: str) -> None:
        found.append(series(name, values + tail, **labels, **own))

    for one in containers:
        identity = {
            "container_id": one.id,
            "pod_name": one.pod,
            "container_name": one.name,
            "container_namespace": one.namespace,
        }
        for component, kind in KINDS.items():
            power = one.watts.get(component, (0, 0))
            for mode, word in enumerate(("dynamic", "idle")):
                key = (component, mode)
                total[key] = total.get(key, 0) + power[mode]
                where = source if component in ("cpu", "dram") else ""
                name = f"kepler_container_{kind}_joules_total"
                values = watts(power[mode], minutes)
                add(name, values, **identity, mode=word, source=where)
                add(
                    "wattribute_container_joules_total", values, **identity,
                    component=component, mode=word, origin=origin,
                )  # fmt: skip
        add(
            "wattribute_container_info", steady(1, minutes), **identity, pod_uid=one.pod_uid,
            owner_kind=one.owner[0], owner_name=one.owner[1], runtime="",
        )  # fmt: skip
        if one.team:
            add(
                "wattribute_pod_labels", steady(1, minutes), pod_uid=one.pod_uid,
                container_namespace=one.namespace, label_team=one.team,
            )  # fmt: skip
        for resource, amount in one.requests.items():
            add(
                "wattribute_container_requests", steady(amount, minutes),
                container_id=one.id, resource=resource,
            )  # fmt: skip
        add(
            "wattribute_container_cpu_seconds_total", watts(one.cores, minutes),
            container_id=one.id,
        )  # fmt: skip
        add(
            "wattribute_container_memory_byte_seconds_total", watts(one.memory_bytes, minutes),
            container_id=one.id,
        )  # fmt: skip
    own = {"component": "cpu", "origin": origin}
    total["cpu", 1] += idle
    total["cpu", 0] += unattributed
    add("wattribute_idle_joules_total", watts(idle, minutes), **own)
    add("wattribute_unattributed_joules_total", watts(unattributed, minutes), **own)
    for component in ("cpu", "dram"):
        for mode, word in enumerate(("dynamic", "idle")):
            add(
                "wattribute_node_joules_total", watts(total[component, mode], minutes),
                component=component, mode=word, origin=origin,
            )  # fmt: skip
            add(
                "wattribute_birth_held_joules", steady(0, minutes),
                component=component, mode=word,
            )  # fmt: skip
    for resource, amount in (("cpu_mcore", 8000), ("memory_bytes", 16000)):
        add("wattribute_node_capacity", steady(amount, minutes), resource=resource)
    add(
        "wattribute_node_info", steady(1, minutes), node=instance, cluster="prod",
        provider_id="", instance_type="", region="", virtual="false", nested=str(nested).lower(),
    )  # fmt: skip
    add("up", steady(1, minutes))
    add("wattribute_ticks_total", f"0+6x{minutes * 60 // STEP_S}")
    return found


class Lab:
    """Runs the rules over series, one evaluation a minute, and compares."""

    STEP_S = STEP_S
    WEB = WEB
    SYSTEM = SYSTEM
    Container = Container
    node = staticmethod(node)
    series = staticmethod(series)
    steady = staticmethod(steady)
    target = staticmethod(target)
    watts = staticmethod(watts)

    def __init__(self, folder: Path) -> None:
        self._file = folder / "test.json"

    def check(
        self,
        inputs: Sequence[Series],
        samples: Mapping[str, Mapping[str, float] | float | None],
        at: str = "30m",
    ) -> None:
        """At an instant each query gives these series (or one without labels, or none).

        Values are compared to three decimals: promtool compares floats exactly.
        """
        expected = [
            {
                "expr": f"round({query}, 0.001)",
                "eval_time": at,
                "exp_samples": [
                    {"labels": labels, "value": value} for labels, value in _listed(answer).items()
                ],
            }
            for query, answer in samples.items()
        ]
        test = {
            "rule_files": [str(RULES / file) for file in _files("".join(samples))],
            "evaluation_interval": "1m",
            "tests": [
                {
                    "interval": f"{STEP_S}s",
                    "input_series": list(inputs),
                    "promql_expr_test": expected,
                }
            ],
        }
        self._file.write_text(json.dumps(test))  # JSON is YAML
        command = ["promtool", "test", "rules", str(self._file)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    def fires(self, alert: str, inputs: Sequence[Series], at: str = "75m", **labels: str) -> None:
        """The alert fires once, and says these labels."""
        by = ", ".join(labels) or "alertname"
        found = labels or {"alertname": alert}
        text = ",".join(f'{key}="{value}"' for key, value in found.items())
        self.check(inputs, {f"count by ({by}) ({firing(alert)})": {f"{{{text}}}": 1}}, at)

    def silent(self, alert: str, inputs: Sequence[Series], at: str = "75m") -> None:
        """The alert does not fire."""
        self.check(inputs, {firing(alert): None}, at)


def _files(queries: str) -> list[str]:
    """The rule files that the queries read: an evaluation of all rules takes its time."""
    alerts = set(re.findall(r'alertname="(\w+)"', queries))
    text = (RULES / "alerts.yaml").read_text()
    for one in text.split("- alert: "):
        queries += one if one.split("\n")[0] in alerts else ""
    every = "ALERTS" in queries and not alerts
    needed = {
        "alerts.yaml": "ALERTS" in queries,
        "kepler.yaml": every or "kepler:" in queries,
        "recording.yaml": every or "wattribute:" in queries,
    }
    return [file for file, is_needed in needed.items() if is_needed]


def firing(alert: str) -> str:
    return f'ALERTS{{alertname="{alert}",alertstate="firing"}}'


def _listed(answer: Mapping[str, float] | float | None) -> Mapping[str, float]:
    if answer is None:
        return {}
    return answer if isinstance(answer, Mapping) else {"{}": answer}


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    if not shutil.which("promtool"):
        pytest.skip("no promtool; Debian package prometheus")
    return Lab(tmp_path)
