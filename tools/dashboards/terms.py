"""Pieces of PromQL and the variables that boards share."""

from collections.abc import Sequence
from typing import Final

from tools.dashboards.board import choice, number

RATE: Final = "$__rate_interval"
RANGE: Final = "$__range"
COMPONENTS: Final = ("cpu", "dram", "gpu", "other")
"""What partitions the energy of containers and nodes."""
CONTAINER_JOULES: Final = "wattribute_container_joules_total"
DYNAMIC: Final = 'mode="dynamic"'
FLOOR: Final = 'mode="idle"'
ESTIMATED: Final = 'origin="estimated"'
JOULES_PER_KWH: Final = "3.6e6"
SAMPLES_PER_KWH: Final = "60000"
"""Recorded watts have one sample a minute: 60 s each, 3.6e6 J in a kWh."""

CLUSTER: Final = choice("cluster", "Cluster", "label_values(wattribute_node_info, cluster)")
NODE: Final = choice(
    "node",
    "Node",
    'label_values(wattribute_node_info{cluster=~"$cluster"}, instance)',
    several=False,
)
NAMESPACE: Final = choice(
    "namespace", "Namespace", "label_values(wattribute_container_info, container_namespace)"
)
POD: Final = choice(
    "pod",
    "Pod",
    'label_values(wattribute_container_info{container_namespace=~"$namespace"}, pod_name)',
)
PRICE: Final = number("price", "Price per kWh", "0.25", "In your currency, all taxes included")
GRAMS: Final = number(
    "grams",
    "gCO2e per kWh",
    "400",
    "Carbon intensity of the electricity: one number for the whole time",
)


def counted(expr: str, *labels: str) -> str:
    """``expr`` of the chosen clusters' nodes, less nested ones; ``labels`` of node_info join it."""
    by = ", ".join(("instance", *labels))
    return (
        f"{expr} * on (instance) group_left ({', '.join(labels)}) group by ({by})"
        ' (wattribute_node_info{cluster=~"$cluster",nested!="true"})'
    )


def rate(metric: str, *filters: str, window: str = RATE) -> str:
    """Watts of a counter of joules."""
    return f"rate({metric}{{{','.join(filters)}}}[{window}])"


def increase(metric: str, *filters: str) -> str:
    """Joules of a counter over the board's time range."""
    return f"increase({metric}{{{','.join(filters)}}}[{RANGE}])"


def containers(by: Sequence[str], *filters: str) -> str:
    """Return the watts of containers, all chosen components added."""
    return f"sum by ({', '.join(by)}) ({counted(rate(CONTAINER_JOULES, *filters))})"


def containers_estimated(*filters: str) -> str:
    """Return the watts of containers that a model says, in all; 0 where there is none."""
    return f"(sum({counted(rate(CONTAINER_JOULES, *filters, ESTIMATED))}) or vector(0))"


def containers_joules(by: Sequence[str], *filters: str) -> str:
    """Return the joules of containers over the board's time range."""
    return f"sum by ({', '.join(by)}) ({counted(increase(CONTAINER_JOULES, *filters))})"


def recorded(name: str, *filters: str) -> str:
    """A recorded series of the chosen clusters."""
    chosen = ('cluster=~"$cluster"', *filters)
    return f"wattribute:{name}{{{','.join(chosen)}}}"


def kwh(name: str, by: str, *filters: str, window: str = RANGE) -> str:
    """Kilowatt hours of recorded watts over a window."""
    return f"sum {by} (sum_over_time({recorded(name, *filters)}[{window}])) / {SAMPLES_PER_KWH}"


def kwh_of_day(name: str, by: str, *filters: str) -> str:
    """Kilowatt hours of the day that begins at each point (so the offset into the future)."""
    watts = recorded(name, *filters)
    return f"sum {by} (sum_over_time({watts}[1d] offset -1d)) / {SAMPLES_PER_KWH}"
