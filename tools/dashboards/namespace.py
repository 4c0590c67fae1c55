"""Namespaces and their pods."""

from typing import Final

from tools.dashboards.board import Board, Row
from tools.dashboards.cluster import NODE_LINK
from tools.dashboards.panel import (
    CO2E,
    JOULE,
    KWH,
    NUMBER,
    RATIO,
    WATT,
    Column,
    Query,
    days,
    graph,
    stat,
    table,
)
from tools.dashboards.terms import (
    CLUSTER,
    DYNAMIC,
    GRAMS,
    JOULES_PER_KWH,
    NAMESPACE,
    POD,
    RATE,
    containers,
    containers_estimated,
    containers_joules,
    counted,
    kwh_of_day,
    recorded,
)

_CHOSEN: Final = ('container_namespace=~"$namespace"', 'pod_name=~"$pod"')
_POWER: Final = containers((), *_CHOSEN)
_ENERGY: Final = f"({containers_joules((), *_CHOSEN)}) / {JOULES_PER_KWH}"
_BY_POD: Final = ("container_namespace", "pod_name")
REQUESTED: Final = 'wattribute_container_requests{resource="cpu_mcore"}'
USED: Final = f"rate(wattribute_container_cpu_seconds_total[{RATE}])"
_IDENTITY: Final = (
    "group by (instance, container_id, container_namespace, pod_name)"
    f" (wattribute_container_info{{{','.join(_CHOSEN)}}})"
)


def _cores(metric: str) -> str:
    named = f"{metric} * on (instance, container_id) group_left (pod_name) {_IDENTITY}"
    return f"sum by (pod_name) ({counted(named)})"


_OVERVIEW: Final = Row(
    "Overview",
    (
        stat("Power", "Of the chosen pods, with the floor that they pay.", _POWER),
        stat("Energy", "In the chosen time. Long times with many pods are slow: it adds the "
             "counters themselves, not the recorded watts.", _ENERGY, unit=KWH),
        stat("CO2e", "Energy times the grams per kWh chosen above.", f"{_ENERGY} * $grams",
             unit=CO2E),
        stat("Dynamic", "The part above the floor: what goes when these pods do nothing.",
             f"({containers((), *_CHOSEN, DYNAMIC)}) / ({_POWER})", unit=RATIO),
        stat("Estimated", "The part that a model says, because no meter does.",
             f"({containers_estimated(*_CHOSEN)}) / ({_POWER})",
             unit=RATIO, steps=(("orange", 0.01),)),
        stat("Pods", "With a name; those of the chosen namespaces.",
             f"count(count by (container_namespace, pod_name) ({_IDENTITY}))", unit=NUMBER),
    ),
)  # fmt: skip
_WATTS: Final = Row(
    "Power",
    (
        graph("By pod", "The components added; the ten that draw most.",
              Query(f"topk(10, {containers(_BY_POD, *_CHOSEN)})",
                    "{{container_namespace}}/{{pod_name}}")),
        graph("By component", "Components partition the energy.",
              Query(containers(("component",), *_CHOSEN), "{{component}}")),
        graph("Dynamic and floor",
              "dynamic is above the floor; floor is the part of it that these pods pay under the "
              "policy (`wattribute_attribution_info`), 0 under `none`.",
              Query(containers(("mode",), *_CHOSEN), "{{mode}}")),
        graph("By workload",
              "From recorded watts: every pod of the chosen namespaces, by its owner.",
              Query("topk(10, sum by (owner_kind, workload) ("
                    f"{recorded('workload_watts:rate5m', _CHOSEN[0])}))",
                    "{{owner_kind}} {{workload}}"), interval="1m"),
    ),
)  # fmt: skip
_PODS: Final = Row(
    "Pods",
    (
        table("Containers", "By power now; energy in the chosen time.",
              (Column("container_namespace", "Namespace"), Column("pod_name", "Pod"),
               Column("container_name", "Container"), Column("instance", "Node", link=NODE_LINK),
               Column("power", "Power", WATT), Column("energy", "Energy", JOULE)),
              Query(containers((*_BY_POD, "container_name", "instance"), *_CHOSEN), "power"),
              Query(containers_joules((*_BY_POD, "container_name", "instance"), *_CHOSEN),
                    "energy"),
              width=24, sort="Power"),
    ),
)  # fmt: skip
_RESERVED: Final = Row(
    "Reserved and used",
    (
        graph("CPU: reserved and used", "In cores. Under the policy `reserved` pods pay the floor "
              "by what they reserve, used or not.",
              Query(f"sum({_cores(REQUESTED)}) / 1000", "reserved"),
              Query(f"sum({_cores(USED)})", "used"), unit=NUMBER, stacked=False),
        days("Energy by day", "From recorded watts: every pod of the chosen namespaces; the last "
             "30 days, today so far.",
             Query(kwh_of_day("namespace_watts:rate5m", "by (container_namespace)", _CHOSEN[0]),
                   "{{container_namespace}}"), unit=KWH),
    ),
)  # fmt: skip

BOARD: Final = Board(
    "namespace",
    "Energy: namespace and pod",
    "What namespaces, workloads, pods and containers draw, and what they reserve.",
    (CLUSTER, NAMESPACE, POD, GRAMS),
    (_OVERVIEW, _WATTS, _PODS, _RESERVED),
    time_from="now-1h",
)
