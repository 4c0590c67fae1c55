"""The floor's policies applied to hours of the ledger, as expressions for a query engine.

What the policies are stands in ``core.floor``. The ledger keeps floor, use and reservations
unsplit, so a statement can apply any policy, and several can be compared.

Parts are rounded down to whole microjoules, and the crumbs stay on the idle row with what nobody
pays. So the parts add up to the floor exactly.
"""

from typing import Final, assert_never

import narwhals as nw

from wattribute.accounting.chargeback.engines import Frame
from wattribute.accounting.chargeback.usage import (
    AMOUNTS,
    COMPONENTS,
    IDLE,
    RESOURCES,
    UNATTRIBUTED,
)
from wattribute.core.floor import RESOURCE_OF, FloorPolicy, Measure, claims
from wattribute.core.units import HOUR_S

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


def pay_floor(rows: Frame, policy: FloorPolicy) -> Frame:
    """Add what each row pays of the floor under a policy.

    Args:
        rows: What ``with_idle_rows`` gives.
        policy: Who pays.

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
        (_spare(paid) if policy.by_reservation else zero).alias(f"spare_{policy.name}"),
    )
    unpaid = nw.col("_floor") - nw.col("_paid").sum().over(*PLACE).cast(nw.Int64)
    kept = nw.when(consumer).then(nw.col("_paid")).otherwise(unpaid)
    rows = rows.with_columns(kept.alias(f"paid_{policy.name}"))
    return rows.drop(*paid.values(), "_paid", "_floor")


def _part(component: str, policy: FloorPolicy) -> nw.Expr:
    """One consumer's whole microjoules of one component's floor."""
    claim, whole = claims(policy, _HourRows(component))
    return share(nw.col(f"all_floor_{component}"), claim, whole)


class _HourRows:
    """The accounts of a place and hour, for one component."""

    def __init__(self, component: str) -> None:
        self._component = component
        self._resource = RESOURCE_OF[component]
        self.nothing = nw.lit(0).cast(nw.Int64)

    def amounts(self, measure: Measure) -> nw.Expr:
        """Each account's amount; energy that nobody was seen to use claims nothing."""
        own = nw.col(self._column(measure))
        if measure != "dynamic":
            return own
        seen = nw.col("account") != UNATTRIBUTED
        return nw.when(seen).then(own).otherwise(self.nothing)

    def total(self, measure: Measure) -> nw.Expr:
        """The sum over the accounts of the place and hour."""
        return nw.col(f"all_{self._column(measure)}")

    def capacity(self, measure: Measure) -> nw.Expr:
        """What the node has, in the unit of the amounts."""
        match measure:
            case "reserved" | "used":
                return nw.col(f"all_capacity_{self._resource}")
            case "time":
                return nw.col(f"all_capacity_{self._timed}")
            case "dynamic":
                return self.nothing
            case "pod_time":
                return nw.lit(HOUR_S).cast(nw.Int64)
            case _:
                assert_never(measure)

    @staticmethod
    def larger(first: nw.Expr, second: nw.Expr) -> nw.Expr:
        """The larger of two numbers."""
        return nw.max_horizontal(first, second)

    @staticmethod
    def if_any(total: nw.Expr, then: nw.Expr, otherwise: nw.Expr) -> nw.Expr:
        """``then`` where there is any, else ``otherwise``."""
        return nw.when(total > 0).then(then).otherwise(otherwise)

    @property
    def _timed(self) -> str:
        """The resource whose use is a time."""
        return "gpu" if self._resource == "gpu" else "cpu"

    def _column(self, measure: Measure) -> str:
        match measure:
            case "reserved" | "used":
                return f"{measure}_{self._resource}"
            case "time":
                return f"used_{self._timed}"
            case "dynamic":
                return f"dynamic_{self._component}"
            case "pod_time":
                return "pod_s"
            case _:
                assert_never(measure)


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
