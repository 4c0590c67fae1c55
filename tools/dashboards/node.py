"""One node: its zones, its floor, whether it adds up, and what the agent costs it."""

from typing import Final

from tools.dashboards.board import Board, Row
from tools.dashboards.panel import (
    BYTES,
    JOULE,
    KWH,
    NUMBER,
    RATIO,
    SECONDS,
    WATT,
    Column,
    Query,
    graph,
    stat,
    table,
)
from tools.dashboards.terms import (
    CLUSTER,
    CONTAINER_JOULES,
    ESTIMATED,
    FLOOR,
    JOULES_PER_KWH,
    NODE,
    RATE,
    increase,
    rate,
)

_HERE: Final = 'instance="$node"'
_NODE: Final = "wattribute_node_joules_total"
_POWER: Final = f"sum({rate(_NODE, _HERE)})"
_ZONE: Final = 'zone=~"(package|gpu|platform).*"'
_AGENT: Final = f"on (instance, job) group_left () wattribute_build_info{{{_HERE}}}"
_NAMESPACE_LINK: Final = "namespace?var-namespace=${__value.raw}"


def _here(metric: str, *filters: str) -> str:
    return f"{metric}{{{','.join((_HERE, *filters))}}}"


def _count(metric: str) -> str:
    return f"increase({_here(metric)}[{RATE}])"


def _containers(*filters: str) -> str:
    """Watts by pod, on this node."""
    by = "container_namespace, pod_name"
    return f"sum by ({by}) ({rate(CONTAINER_JOULES, _HERE, *filters)})"


def _shares() -> str:
    """All shares over the node's energy, over the board's time; 1 where nothing is lost."""
    counters = [
        CONTAINER_JOULES,
        "wattribute_idle_joules_total",
        "wattribute_unattributed_joules_total",
    ]
    parts = [f"sum({increase(name, _HERE)})" for name in counters]
    parts.append(f"sum(delta({_here('wattribute_birth_held_joules')}[$__range]))")
    return f"({' + '.join(parts)}) / sum({increase(_NODE, _HERE)})"


_OVERVIEW: Final = Row(
    "Overview",
    (
        stat("Power", "Of the node, floor included.", _POWER),
        stat("Energy", "In the chosen time.",
             f"sum({increase(_NODE, _HERE)}) / {JOULES_PER_KWH}", unit=KWH),
        stat("Floor", "What it draws for being on.", f"sum({rate(_NODE, _HERE, FLOOR)})"),
        stat("Attributed", "Containers, idle, unattributed and held at birth, over the node: 1 "
             "within 2 %, by which increase() may be off.", _shares(), unit=RATIO, decimals=1,
             steps=(("red", 1.02),)),
        stat("Estimated", "The part of power that a model says, because no meter does.",
             f"(sum({rate(_NODE, _HERE, ESTIMATED)}) or vector(0)) / {_POWER}",
             unit=RATIO, steps=(("orange", 0.01),)),
        stat("Age", "Of the newest snapshot, by this Prometheus' clock.",
             f"time() - max({_here('wattribute_snapshot_timestamp_seconds')})", unit=SECONDS,
             steps=(("red", 60),)),
    ),
)  # fmt: skip
_WATTS: Final = Row(
    "Power",
    (
        graph("By component", "Components partition the energy; the origin is how it is known.",
              Query(f"sum by (component, origin) ({rate(_NODE, _HERE)})",
                    "{{component}} ({{origin}})")),
        graph("Pods on this node", "The ten that draw most, and what no container pays.",
              Query(f"topk(10, {_containers()})", "{{container_namespace}}/{{pod_name}}"),
              Query(f"sum({rate('wattribute_idle_joules_total', _HERE)})", "idle"),
              Query(f"sum({rate('wattribute_unattributed_joules_total', _HERE)})",
                    "unattributed")),
        graph("Zones", "Each meter's own view. Zones overlap (core is in package, platform holds "
              "all): compare them, do not add them.",
              Query(_here("wattribute_zone_power_watts"), "{{zone}} ({{source}})"),
              stacked=False),
        graph("Bands of estimates", "Estimated zones with the ends of their bands, which hold the "
              "power in 90 of 100 cases. Empty where all is measured.",
              Query(_here("wattribute_zone_power_watts", ESTIMATED), "{{zone}}"),
              Query(_here("wattribute_zone_power_low_watts"), "{{zone}} low"),
              Query(_here("wattribute_zone_power_high_watts"), "{{zone}} high"), stacked=False),
        graph("Floor and power", "Of packages, GPUs and the platform. A floor is learned from "
              "quiet ticks, given, the model's, or a prior.",
              Query(_here("wattribute_zone_power_watts", _ZONE), "{{zone}}"),
              Query(_here("wattribute_floor_watts", _ZONE), "{{zone}} floor ({{basis}})"),
              stacked=False),
        graph("Dynamic and idle", "Above the floor, and the floor.",
              Query(f"sum by (mode) ({rate(_NODE, _HERE)})", "{{mode}}")),
    ),
)  # fmt: skip
_TABLES: Final = Row(
    "Pods and meters",
    (
        table("Pods", "By power now; energy in the chosen time.",
              (Column("container_namespace", "Namespace", link=_NAMESPACE_LINK),
               Column("pod_name", "Pod"), Column("power", "Power", WATT),
               Column("energy", "Energy", JOULE)),
              Query(_containers(), "power"),
              Query(_containers().replace("rate(", "increase(").replace(RATE, "$__range"),
                    "energy"),
              sort="Power"),
        table("Meters and zones", "up is 1 where the zone gave readings.",
              (Column("zone", "Zone"), Column("source", "Meter"), Column("up", "Up", NUMBER),
               Column("power", "Power", WATT)),
              Query(f"max by (zone, source) ({_here('wattribute_zone_up')})", "up"),
              Query(f"max by (zone, source) ({_here('wattribute_zone_power_watts')})", "power")),
    ),
)  # fmt: skip
_HEALTH: Final = Row(
    "Agent: health and own cost",
    (
        graph("CPU of the agent", "Cores: 0.01 is 1 % of one. bpf: kernel time of its programs, "
              "where kernel.bpf_stats_enabled counts it.",
              Query(f"rate({_here('process_cpu_seconds_total')}[{RATE}]) * {_AGENT}", "agent"),
              Query(f"rate({_here('wattribute_bpf_run_seconds_total')}[{RATE}])", "bpf"),
              unit=NUMBER, width=8, stacked=False),
        graph("Memory of the agent", "Resident.",
              Query(f"{_here('process_resident_memory_bytes')} * {_AGENT}", "resident"),
              unit=BYTES, width=8, stacked=False),
        graph("Ticks", "CPU time and length of the last tick; skew between first and last read.",
              Query(_here("wattribute_tick_cpu_seconds"), "CPU time"),
              Query(_here("wattribute_tick_duration_seconds"), "length"),
              Query(_here("wattribute_tick_skew_seconds"), "skew"),
              unit=SECONDS, width=8, stacked=False),
        graph("What was lost", "Failed reads, dropped records and intervals, failed writes of the "
              "state: all 0 on a healthy node.",
              Query(_count("wattribute_meter_failures_total"), "reads of {{meter}}"),
              Query(_count("wattribute_activity_failures_total"), "reads of activity"),
              Query(_count("wattribute_activity_dropped_records_total"), "records"),
              Query(_count("wattribute_dropped_intervals_total"), "intervals: {{reason}}"),
              Query(_count("wattribute_state_failures_total"), "writes of the state"),
              unit=NUMBER, stacked=False),
        graph("Coverage and misfit", "coverage: CPU time of all rows over the node's busy time, 1 "
              "when nothing is missed. misfit: time that could not be placed on packages.",
              Query(_here("wattribute_activity_coverage_ratio"), "coverage"),
              Query(_here("wattribute_activity_misfit_ratio"), "misfit"),
              unit=RATIO, stacked=False),
    ),
)  # fmt: skip

BOARD: Final = Board(
    "node",
    "Energy: node",
    "One node: zones, components, floor, who draws, whether it adds up, and the agent itself.",
    (CLUSTER, NODE),
    (_OVERVIEW, _WATTS, _TABLES, _HEALTH),
    time_from="now-1h",
    refresh="15s",
)
