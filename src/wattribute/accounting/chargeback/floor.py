"""Who pays the floor, decided at statement time from the ledger's unsplit columns.

========  =======================================  =====================  ========================
policy    cpu, other                               dram                   gpu
========  =======================================  =====================  ========================
reserved  CPU reserved / capacity                  memory reserved        devices reserved
usage     CPU time / capacity                      memory resident        time on devices
full      dynamic energy (CPU time if there is     dynamic energy         dynamic energy
          none), all of it
even      pods, by their time alive                the same               the same
none      nobody: it stays idle, unallocated
separate  nobody: idle is an account of its own, counted as allocated
platform  nobody: the platform team's account pays all of it
========  =======================================  =====================  ========================

Where more is reserved (used) than there is, the sum takes the place of the capacity. What nobody
pays is the row ``idle``. Parts are rounded down to whole microjoules, and the crumbs stay in
``idle``, so the parts add up to the floor exactly.
"""

from typing import Final, Literal, get_args

import narwhals as nw

from wattribute.accounting.chargeback.engines import Frame
from wattribute.accounting.chargeback.usage import (
    AMOUNTS,
    COMPONENTS,
    IDLE,
    RESOURCE_OF,
    RESOURCES,
    UNATTRIBUTED,
)

FloorPolicy = Literal["reserved", "usage", "full", "even", "none", "separate", "platform"]
POLICIES: Final[tuple[str, ...]] = get_args(FloorPolicy)
PLACE: Final = ("place", "hour")
"""A node (or a namespace, for volumes and load balancers) and an hour, both numbered."""
_SUMS: Final = (
    *(
        f"{what}_{resource}"
        for what in ("reserved", "used", "most", "capacity")
        for resource in RESOURCES
    ),
    *(f"{what}_{component}" for what in ("dynamic", "floor") for component in COMPONENTS),
    "pod_s",
)
_SECONDS: Final = 3600


def with_idle_rows(usage: Frame) -> Frame:
    """Give every place and hour exactly one idle row, and every row the sums of its place.

    Args:
        usage: ``place``, ``hour``, ``account``, ``AMOUNTS``, ``pod_s``.

    Returns:
        The same with ``all_*`` columns: sums over the place and hour, of the dynamic energy
        without what nobody was seen to use.
    """
    names = (*AMOUNTS, "pod_s")
    zero = nw.lit(0).cast(nw.Int64)
    dynamic = [f"dynamic_{component}" for component in COMPONENTS]
    seen = nw.col("account") != UNATTRIBUTED
    sums = (
        usage.with_columns(nw.when(seen).then(nw.col(name)).otherwise(zero) for name in dynamic)
        .group_by(*PLACE)
        .agg(nw.col(name).sum().cast(nw.Int64).alias(f"all_{name}") for name in _SUMS)
    )
    consumers = usage.filter(nw.col("account") != IDLE)
    floors = usage.filter(nw.col("account") == IDLE).select(
        *PLACE, "measured_uj", "integrated_uj", "low_uj", "high_uj"
    )
    idle = sums.select(*PLACE).join(floors, on=list(PLACE), how="left")
    known = {"measured_uj", "integrated_uj", "low_uj", "high_uj"}
    idle = idle.with_columns(
        nw.lit(IDLE).cast(nw.Int64).alias("account"),
        *(nw.col(name).fill_null(0).cast(nw.Int64).alias(name) for name in sorted(known)),
        *(zero.alias(name) for name in names if name not in known),
    )
    columns = (*PLACE, "account", *names)
    rows = nw.concat([consumers.select(*columns), idle.select(*columns)], how="vertical")
    return rows.join(sums, on=list(PLACE), how="inner")


def pay_floor(rows: Frame, policy: str) -> Frame:
    """Add what each row pays of the floor under a policy.

    Args:
        rows: What ``with_idle_rows`` gives.
        policy: One of ``POLICIES``.

    Returns:
        The rows with ``paid_<policy>`` (uJ; on the idle row what nobody pays) and
        ``spare_<policy>``: the part of it that stands for what was reserved and not used.
    """
    paid = {component: f"_paid_{component}" for component in COMPONENTS}
    consumer = nw.col("account") != IDLE
    zero = nw.lit(0).cast(nw.Int64)
    parts = [
        nw.when(consumer).then(_part(component, policy)).otherwise(zero).alias(paid[component])
        for component in COMPONENTS
    ]
    rows = rows.with_columns(*parts)
    rows = rows.with_columns(
        nw.sum_horizontal(*paid.values()).cast(nw.Int64).alias("_paid"),
        nw.sum_horizontal(*(f"all_floor_{component}" for component in COMPONENTS))
        .cast(nw.Int64)
        .alias("_floor"),
        (_spare(paid) if policy == "reserved" else zero).alias(f"spare_{policy}"),
    )
    left = nw.col("_floor") - nw.col("_paid").sum().over(*PLACE).cast(nw.Int64)
    kept = nw.when(consumer).then(nw.col("_paid")).otherwise(left)
    return rows.with_columns(kept.alias(f"paid_{policy}")).drop(*paid.values(), "_paid", "_floor")


def _part(component: str, policy: str) -> nw.Expr:
    """One consumer's whole microjoules of one component's floor."""
    floor = nw.col(f"all_floor_{component}")
    resource = RESOURCE_OF[component]
    match policy:
        case "reserved" | "usage":
            what = "reserved" if policy == "reserved" else "used"
            capacity = nw.max_horizontal(f"all_capacity_{resource}", f"all_{what}_{resource}")
            return share(floor, nw.col(f"{what}_{resource}"), capacity)
        case "full":
            seen = nw.col("account") != UNATTRIBUTED
            zero = nw.lit(0).cast(nw.Int64)
            dynamic = nw.when(seen).then(nw.col(f"dynamic_{component}")).otherwise(zero)
            total = nw.col(f"all_dynamic_{component}")
            by_energy = share(floor, dynamic, total)
            by_time = share(floor, nw.col(f"used_{resource}"), nw.col(f"all_used_{resource}"))
            return nw.when(total > 0).then(by_energy).otherwise(by_time)
        case "even":
            hour = nw.max_horizontal(nw.lit(_SECONDS).cast(nw.Int64), nw.col("all_pod_s"))
            return share(floor, nw.col("pod_s"), hour)
        case _:
            return nw.lit(0).cast(nw.Int64)


def _spare(paid: dict[str, str]) -> nw.Expr:
    """What a row pays for reservations that it did not use, in whole microjoules."""
    parts = []
    for component, column in paid.items():
        resource = RESOURCE_OF[component]
        unused = nw.col(f"most_{resource}") - nw.col(f"used_{resource}")
        parts.append(share(nw.col(column), unused, nw.col(f"reserved_{resource}")))
    return nw.sum_horizontal(*parts).cast(nw.Int64)


def share(amount: nw.Expr, weight: nw.Expr, total: nw.Expr) -> nw.Expr:
    """``floor(amount x weight / total)``; 0 where the total is 0 or the weight negative."""
    quota = amount.cast(nw.Float64) * weight.cast(nw.Float64) / total.cast(nw.Float64)
    whole = nw.when((total > 0) & (weight > 0)).then(quota).otherwise(nw.lit(0.0))
    return whole.floor().cast(nw.Int64)
