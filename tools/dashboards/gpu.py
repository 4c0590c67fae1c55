"""GPUs."""

from typing import Final

from tools.dashboards.board import Board, Row, choice
from tools.dashboards.cluster import NODE_LINK
from tools.dashboards.panel import (
    BYTES,
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
    FLOOR,
    NAMESPACE,
    RATE,
    containers,
    counted,
    kwh,
    kwh_of_day,
    rate,
    recorded,
)

_GPU: Final = 'component="gpu"'
_RESERVED: Final = 'resource="gpu"'
_HERE: Final = 'instance=~"$node"'
_CHOSEN: Final = (_HERE, 'container_namespace=~"$namespace"')
_NODES: Final = choice(
    "node",
    "Node",
    'label_values(wattribute_zone_joules_total{component="gpu"}, instance)',
)
_POWER: Final = counted(rate("wattribute_node_joules_total", _GPU, _HERE))
_FLOOR: Final = counted(rate("wattribute_node_joules_total", _GPU, _HERE, FLOOR))
_IDLE: Final = counted(rate("wattribute_idle_joules_total", _GPU, _HERE))
_GPU_TIME: Final = (
    f"rate(wattribute_container_gpu_seconds_total{{{_HERE}}}[{RATE}])"
    " * on (instance, container_id) group_left (container_namespace, pod_name)"
    " group by (instance, container_id, container_namespace, pod_name)"
    f" (wattribute_container_info{{{','.join(_CHOSEN)}}})"
)


def _zones(metric: str) -> str:
    return f'{metric}{{zone=~"gpu.*",{_HERE}}}'


_OVERVIEW: Final = Row(
    "Overview",
    (
        stat("Power", "Of all GPUs of the chosen nodes.", f"sum({_POWER})"),
        stat("Energy", "Of all GPUs of the chosen clusters, in the chosen time.",
             kwh("cluster_watts:rate5m", "by ()", _GPU), unit=KWH),
        stat("Floor", "The part that GPUs draw for being powered.",
             f"sum({_FLOOR}) / sum({_POWER})", unit=RATIO, steps=(("orange", 0.6),)),
        stat("Paid by nobody", "Floor of GPUs that no container holds or pays.",
             f"sum({_IDLE})"),
        stat("GPUs", "That give readings.",
             f"sum({counted(_zones('wattribute_zone_up'))})", unit=NUMBER),
        stat("Reserved", "GPUs that running containers have requested.",
             f"sum({recorded('workload_reserved', _RESERVED)}) or vector(0)", unit=NUMBER),
    ),
)  # fmt: skip
_DEVICES: Final = Row(
    "Devices",
    (
        graph("By GPU", "Power in the last tick.",
              Query(counted(_zones("wattribute_zone_power_watts")), "{{instance}} {{zone}}")),
        graph("Floor by GPU", "What each draws without work, and how that is known.",
              Query(counted(_zones("wattribute_floor_watts")),
                    "{{instance}} {{zone}} ({{basis}})"), stacked=False),
        table("GPUs", "Power now, its floor, and whether the meter answers.",
              (Column("instance", "Node", link=NODE_LINK), Column("zone", "GPU"),
               Column("source", "Meter"), Column("power", "Power", WATT),
               Column("up", "Up", NUMBER)),
              Query("max by (instance, zone, source) "
                    f"({_zones('wattribute_zone_power_watts')})", "power"),
              Query(f"max by (instance, zone, source) ({_zones('wattribute_zone_up')})", "up"),
              sort="Power"),
        table("How they are measured",
              "A counter misses nothing; average (of the sensor's own window) and power are "
              "integrated once per tick. Shared by sm: time on the processors; gpm, dcgm: activity "
              "of MIG instances; engine: time on engines; memory: what is held.",
              (Column("instance", "Node", link=NODE_LINK), Column("gpu_name", "GPU"),
               Column("vendor", "Vendor"), Column("energy", "Energy by"),
               Column("activity", "Shared by"), Column("gpus", "GPUs", NUMBER)),
              Query("count by (instance, gpu_name, vendor, energy, activity) "
                    f"({counted(f'wattribute_gpu_info{{{_HERE}}}')})", "gpus"),
              sort="GPU"),
        days("Energy by day", "All GPUs of the chosen clusters; the last 30 days, today so far.",
             Query(kwh_of_day("cluster_watts:rate5m", "by (mode)", _GPU), "{{mode}}"), unit=KWH),
    ),
)  # fmt: skip
_BUSY: Final = Row(
    "Busy, and with how much memory",
    (
        graph("Busy", "Part of the time in which a GPU worked for anyone.",
              Query(counted(f"wattribute_gpu_busy_ratio{{{_HERE}}}"),
                    "{{instance}} {{gpu_uuid}}"), unit=RATIO, stacked=False),
        graph("Memory in use", "By GPU. Memory that is held without work costs floor, not dynamic "
              "energy.",
              Query(counted(f"wattribute_gpu_memory_used_bytes{{{_HERE}}}"),
                    "{{instance}} {{gpu_uuid}}"), unit=BYTES, stacked=False),
    ),
)  # fmt: skip
_WHO: Final = Row(
    "Who uses them",
    (
        graph("By pod", "Energy of GPUs alone; the ten that draw most.",
              Query("topk(10, "
                    f"{containers(('container_namespace', 'pod_name'), *_CHOSEN, _GPU)})",
                    "{{container_namespace}}/{{pod_name}}")),
        graph("Dynamic and floor", "dynamic goes by the time that each held the GPU's processors; "
              "the floor by the policy; idle is the floor that nobody pays.",
              Query(containers(("mode",), *_CHOSEN, _GPU), "{{mode}}"),
              Query(f"sum({_IDLE})", "idle")),
        graph("GPU time by pod", "GPUs' worth of time on the processors: 1 is a whole GPU.",
              Query("topk(10, sum by (container_namespace, pod_name) ("
                    f"{counted(_GPU_TIME)}))", "{{container_namespace}}/{{pod_name}}"),
              unit=NUMBER, width=24),
        table("Workloads", "By GPU power; GPUs are those that they have requested.",
              (Column("container_namespace", "Namespace",
                      link="namespace?var-namespace=${__value.raw}"),
               Column("owner_kind", "Kind"), Column("workload", "Workload"),
               Column("power", "GPU power", WATT), Column("gpus", "GPUs", NUMBER)),
              Query("topk(20, sum by (container_namespace, owner_kind, workload) "
                    f"({recorded('workload_watts:rate5m', _GPU)}) > 0)", "power"),
              Query("sum by (container_namespace, owner_kind, workload) "
                    f"({recorded('workload_reserved', _RESERVED)})", "gpus"),
              width=24, sort="GPU power"),
    ),
)  # fmt: skip

BOARD: Final = Board(
    "gpu",
    "Energy: GPU",
    "What GPUs draw, how much of it is floor, and who uses them.",
    (CLUSTER, _NODES, NAMESPACE),
    (_OVERVIEW, _DEVICES, _BUSY, _WHO),
    time_from="now-1h",
)
