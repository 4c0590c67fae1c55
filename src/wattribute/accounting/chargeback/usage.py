"""The ledger, summed: what each account used on each node in each hour.

Memory is counted in MiB seconds and GPUs in device milliseconds from here on, so that a fleet's
month stays far below 2^63; a millicore second is a core millisecond.
"""

from typing import Final

import narwhals as nw

from wattribute.accounting.chargeback.engines import Frame
from wattribute.core.units import MILLISECONDS_PER_SECOND, NANOSECONDS_PER_MILLISECOND

COMPONENTS: Final = ("cpu", "dram", "gpu", "other")
RESOURCES: Final = ("cpu", "memory", "gpu")

NODE: Final = ("cluster", "node", "provider_id")
COLUMNS: Final = (
    *("hour", *NODE, "kind", "component", "pod_uid", "container", "container_id", "origin"),
    *("energy_uj", "floor_uj", "low_uj", "high_uj", "corrects"),
    *("cpu_ns", "memory_byte_s", "gpu_sm_ns", "alive_s"),
    *("cpu_request_mcore_s", "memory_request_byte_s", "gpu_request_s"),
    *("capacity_cpu_mcore_s", "capacity_memory_byte_s", "capacity_gpu_s"),
)
"""Columns of the ledger that are read, besides what tells the account."""

_BYTES_PER_MIB: Final = 1 << 20
_RAW: Final = {
    "used_cpu": ("cpu_ns", NANOSECONDS_PER_MILLISECOND, 1),
    "used_memory": ("memory_byte_s", _BYTES_PER_MIB, 1),
    "used_gpu": ("gpu_sm_ns", NANOSECONDS_PER_MILLISECOND, 1),
    "reserved_cpu": ("cpu_request_mcore_s", 1, 1),
    "reserved_memory": ("memory_request_byte_s", _BYTES_PER_MIB, 1),
    "reserved_gpu": ("gpu_request_s", 1, MILLISECONDS_PER_SECOND),
    "capacity_cpu": ("capacity_cpu_mcore_s", 1, 1),
    "capacity_memory": ("capacity_memory_byte_s", _BYTES_PER_MIB, 1),
    "capacity_gpu": ("capacity_gpu_s", 1, MILLISECONDS_PER_SECOND),
}
"""New column -> (ledger's column, divided by, times)."""
_MAX: Final = tuple(f"most_{resource}" for resource in RESOURCES)
"""max(reserved, used), container by container and hour by hour."""

AMOUNTS: Final = (
    *(f"dynamic_{component}" for component in COMPONENTS),
    *(f"floor_{component}" for component in COMPONENTS),
    *("low_uj", "high_uj", "below_uj", "above_uj", "measured_uj", "integrated_uj"),
    *_RAW,
    *_MAX,
)
"""Columns of the result that add up. ``low_uj`` to ``integrated_uj`` are of what stands in
``dynamic_*`` on consumers' rows, and in ``floor_*`` on the idle row. ``below_uj`` and ``above_uj``
are the parts of the band that are of weights: what others would have instead, or would lack."""

IDLE: Final = -1
UNATTRIBUTED: Final = -2
SYSTEM: Final = -3
KERNEL: Final = -4
"""Accounts that are no owner's; owners count from 0."""
SPECIAL: Final = {"idle": IDLE, "unattributed": UNATTRIBUTED, "system": SYSTEM, "kernel": KERNEL}


def sum_by_account(entries: Frame, *, corrected: bool) -> Frame:
    """Sum entries by hour, place and account.

    Args:
        entries: ``COLUMNS`` of the ledger, ``place`` and ``account``.
        corrected: There are corrections among the entries. Then a container's entries are summed
            first, because the larger of two sums is not the sum of the larger.

    Returns:
        place, hour, account, ``AMOUNTS``.
    """
    rows = entries.with_columns(
        *(_scaled(*raw).alias(name) for name, raw in _RAW.items()),
        *_energies(),
    )
    key = ("place", "hour", "account")
    if corrected:
        by_container = (*key, "pod_uid", "container", "container_id")
        summed = [name for name in AMOUNTS if name not in _MAX]
        rows = rows.group_by(*by_container).agg(
            nw.col(name).sum().cast(nw.Int64).alias(name) for name in summed
        )
    rows = rows.with_columns(
        nw.max_horizontal(f"reserved_{resource}", f"used_{resource}").alias(f"most_{resource}")
        for resource in RESOURCES
    )
    return rows.group_by(*key).agg(
        nw.col(name).sum().cast(nw.Int64).alias(name) for name in AMOUNTS
    )


def _scaled(column: str, divisor: int, factor: int) -> nw.Expr:
    scaled = nw.col(column)
    if divisor > 1:
        scaled = (scaled // divisor).cast(nw.Int64)
    return scaled * factor if factor > 1 else scaled


def _energies() -> list[nw.Expr]:
    """Energy by component, floors apart, and what is known of it."""
    zero = nw.lit(0).cast(nw.Int64)
    idle = nw.col("kind") == "idle"
    columns: list[nw.Expr] = []
    for component in COMPONENTS:
        here = nw.col("component") == component
        dynamic = nw.when(here & ~idle).then(nw.col("energy_uj")).otherwise(zero)
        floor = nw.when(here & idle).then(nw.col("floor_uj")).otherwise(zero)
        columns += [dynamic.alias(f"dynamic_{component}"), floor.alias(f"floor_{component}")]
    for origin in ("measured", "integrated"):
        of_it = nw.when(nw.col("origin") == origin).then(nw.col("energy_uj")).otherwise(zero)
        columns.append(of_it.alias(f"{origin}_uj"))
    # The band of an estimate is that of its power, of which the weights' band is a small part.
    has_meter = nw.col("origin") != "estimated"
    for name, width in (
        ("below_uj", nw.col("energy_uj") - nw.col("low_uj")),
        ("above_uj", nw.col("high_uj") - nw.col("energy_uj")),
    ):
        columns.append(nw.when(has_meter).then(width).otherwise(zero).alias(name))
    return columns
