"""The cluster: how much, where it goes, and how sure that is."""

from typing import Final

from tools.dashboards.board import Board, Row
from tools.dashboards.panel import (
    CO2E,
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
    ESTIMATED,
    FLOOR,
    GRAMS,
    counted,
    kwh,
    kwh_of_day,
    rate,
    recorded,
)

NODE_JOULES: Final = "wattribute_node_joules_total"
_NODES: Final = counted(rate(NODE_JOULES))
_ESTIMATED: Final = counted(rate(NODE_JOULES, ESTIMATED))
_MEASURED: Final = counted(rate(NODE_JOULES, 'origin!="estimated"'))
_FLOOR: Final = counted(rate(NODE_JOULES, FLOOR))
_NAMESPACE_LINK: Final = "namespace?var-namespace=${__value.raw}"
NODE_LINK: Final = "node?var-node=${__value.raw}"


def band(end: str) -> str:
    """Total power with estimates at the ``low`` or ``high`` end of their bands."""
    zones = counted(f'wattribute_zone_power_{end}_watts{{component!=""}}')
    return f"sum({zones}) + (sum({_MEASURED}) or vector(0))"


_OVERVIEW: Final = Row(
    "Overview",
    (
        stat("Power", "All nodes, floor included.", f"sum({_NODES})"),
        stat("Energy", "In the chosen time, from recorded watts.",
             kwh("cluster_watts:rate5m", "by ()"), unit=KWH),
        stat("CO2e", "Energy times the grams per kWh chosen above.",
             f"{kwh('cluster_watts:rate5m', 'by ()')} * $grams", unit=CO2E),
        stat("Floor", "The part of power that nodes draw for being on, whatever they do.",
             f"sum({_FLOOR}) / sum({_NODES})", unit=RATIO, steps=(("orange", 0.6),)),
        stat("Estimated", "The part of power that a model says, because no meter does.",
             f"(sum({_ESTIMATED}) or vector(0)) / sum({_NODES})", unit=RATIO,
             steps=(("orange", 0.01),)),
        stat("Nodes", "Nodes that show energy; nested guests are not counted.",
             f"count({counted('wattribute_node_info')})", unit=NUMBER),
    ),
)  # fmt: skip
_POWER: Final = Row(
    "Power",
    (
        graph("By component", "Components partition a node's energy; zones would overlap.",
              Query(f"sum by (component) ({_NODES})", "{{component}}")),
        graph("Measured and estimated",
              "Origin of the energy. Where there are estimates, dashed lines are the whole power "
              "with these at the ends of their bands, which hold it in 90 of 100 cases.",
              Query(f"sum by (origin) ({_NODES})", "{{origin}}"),
              Query(band("low"), "low end"), Query(band("high"), "high end"),
              dashed=("low end", "high end")),
        graph("Who gets it",
              "dynamic: containers, above the floor. floor: what of it containers pay under the "
              "policy. idle: the floor that nobody pays. unattributed: above the floor while "
              "nobody ran.",
              Query(f"sum({recorded('namespace_watts:rate5m', DYNAMIC)})", "dynamic"),
              Query(f"sum({recorded('namespace_watts:rate5m', FLOOR)})", "floor"),
              Query(f"sum({counted(rate('wattribute_idle_joules_total'))})", "idle"),
              Query(f"sum({counted(rate('wattribute_unattributed_joules_total'))})",
                    "unattributed"),
              interval="1m"),
        graph("Nodes", "The ten that draw most.",
              Query(f"topk(10, sum by (instance) ({_NODES}))", "{{instance}}"), stacked=False),
    ),
)  # fmt: skip
_WHO: Final = Row(
    "Namespaces and workloads",
    (
        table("Namespaces", "By energy in the chosen time; power is the last 5 minutes'.",
              (Column("container_namespace", "Namespace", link=_NAMESPACE_LINK),
               Column("power", "Power", WATT), Column("energy", "Energy", KWH)),
              Query(f"sum by (container_namespace) ({recorded('namespace_watts:rate5m')})",
                    "power"),
              Query(f"topk(20, {kwh('namespace_watts:rate5m', 'by (container_namespace)')})",
                    "energy"),
              sort="Energy"),
        table("Workloads", "The twenty that draw most, by owner.",
              (Column("container_namespace", "Namespace", link=_NAMESPACE_LINK),
               Column("owner_kind", "Kind"), Column("workload", "Workload"),
               Column("power", "Power", WATT)),
              Query("topk(20, sum by (container_namespace, owner_kind, workload) "
                    f"({recorded('workload_watts:rate5m')}))", "power"),
              sort="Power"),
    ),
)  # fmt: skip
_DAYS: Final = Row(
    "Days",
    (
        days("Energy by day", "By origin; the last 30 days, today so far.",
             Query(kwh_of_day("cluster_watts:rate5m", "by (origin)"), "{{origin}}"), unit=KWH),
        days("CO2e by day", "Energy times the grams per kWh chosen above.",
             Query(f"{kwh_of_day('cluster_watts:rate5m', 'by ()')} * $grams", "CO2e"),
             unit=CO2E),
    ),
)  # fmt: skip
_NODE_TABLE: Final = Row(
    "Nodes",
    (
        table("Nodes", "What each draws, how much of it is floor and how much estimated.",
              (Column("instance", "Node", link=NODE_LINK), Column("region", "Region"),
               Column("instance_type", "Type"), Column("power", "Power", WATT),
               Column("floor", "Floor", RATIO), Column("estimated", "Estimated", RATIO)),
              Query("sum by (instance, region, instance_type) "
                    f"({counted(rate(NODE_JOULES), 'region', 'instance_type')})", "power"),
              Query(f"sum by (instance) ({_FLOOR}) / sum by (instance) ({_NODES})", "floor"),
              Query(f"sum by (instance) ({_ESTIMATED}) / sum by (instance) ({_NODES})",
                    "estimated"),
              width=24, sort="Power"),
    ),
)  # fmt: skip

BOARD: Final = Board(
    "cluster",
    "Energy: cluster",
    "What the cluster draws, who gets it, and how much of that is measured.",
    (CLUSTER, GRAMS),
    (_OVERVIEW, _POWER, _WHO, _DAYS, _NODE_TABLE),
)
