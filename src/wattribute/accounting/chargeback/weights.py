"""What each row of a place and hour weighs in the splitting of a charge, as the methods say.

Resources are made comparable by units: one vCPU is 9, one GiB of memory 1, one GPU 90. So CPU to
memory is 9 to 1 and GPU to CPU 10 to 1, the ratios of AWS' split cost allocation data (user guide
of AWS Cost and Usage Reports, "Example of split cost allocation data", and the one for accelerated
instances: 9, 0.9 and 0.1).
"""

from typing import Final, assert_never

import narwhals as nw

from wattribute.accounting.chargeback.engines import Frame
from wattribute.accounting.chargeback.floor import share
from wattribute.accounting.chargeback.methods import Method, Part
from wattribute.accounting.chargeback.usage import IDLE, RESOURCES

UNITS: Final = {"cpu": 1_152, "memory": 125, "gpu": 11_520}
"""Weights: per core millisecond, per MiB second, per device millisecond. 9 x 1024 / 8 to
1000 / 8 (a GiB ms is 1024 / 1000 MiB s) to 90 x 1024 / 8: whole numbers in the ratio 9 : 1 : 90."""


def with_weights(rows: Frame, method: Method, part: Part) -> Frame:
    """Say what each row of a place and hour weighs in the splitting of a charge.

    Args:
        rows: What ``floor.pay_floor`` gave under the method's policy.
        method: How.
        part: Which part of the charges.

    Returns:
        ``place``, ``hour``, ``account``, and int64 >= 0: ``weight``, of it ``idle_weight`` (a
        share of the floor, or of capacity that nobody took) and ``spare_weight`` (reserved and
        not used).
    """
    match part:
        case "energy":
            columns = _energy_weights(method)
        case "capacity":
            columns = _capacity_weights(method)
        case _:
            assert_never(part)
    zero = nw.lit(0).cast(nw.Int64)
    weights = {
        name: nw.when(expression > 0).then(expression).otherwise(zero).cast(nw.Int64)
        for name, expression in zip(("weight", "idle_weight", "spare_weight"), columns, strict=True)
    }
    return rows.select("place", "hour", "account", **weights)


def _energy_weights(method: Method) -> tuple[nw.Expr, nw.Expr, nw.Expr]:
    floor_paid = nw.col(f"paid_{method.policy}")
    return nw.col("dynamic_uj") + floor_paid, floor_paid, nw.col(f"spare_{method.policy}")


def _capacity_weights(method: Method) -> tuple[nw.Expr, nw.Expr, nw.Expr]:
    zero = nw.lit(0).cast(nw.Int64)
    weight, direct, spare, idle_parts = [], [], [], []
    for resource, unit in UNITS.items():
        amount = nw.col(f"{method.what}_{resource}")
        total = nw.col(f"all_{method.what}_{resource}")
        known_capacity = nw.col(f"all_capacity_{resource}")
        capacity = nw.when(known_capacity > 0).then(known_capacity).otherwise(total)
        pool = capacity * unit
        most = nw.max_horizontal(capacity, total)
        own = share(pool, amount, most)
        nobody = share(pool, most - total, most)
        direct.append(own)
        if method.spread:
            weight.append(share(pool, amount, total))
            idle_parts.append(nw.when(total > 0).then(zero).otherwise(pool))
        else:
            weight.append(own)
            idle_parts.append(nobody)
        unused = nw.col(f"most_{resource}") - nw.col(f"used_{resource}")
        spare.append(zero if method.what == "used" else share(own, unused, amount))
    idle = nw.col("account") == IDLE
    own_weight, idle_weight = nw.sum_horizontal(*weight), nw.sum_horizontal(*idle_parts)
    idle_share = own_weight - nw.sum_horizontal(*direct)
    return (
        nw.when(idle).then(idle_weight).otherwise(own_weight),
        nw.when(idle).then(idle_weight).otherwise(idle_share),
        nw.when(idle).then(zero).otherwise(nw.sum_horizontal(*spare)),
    )


def reserved_units() -> tuple[nw.Expr, nw.Expr]:
    """What was reserved, and what of it was not used, in units x 1000 x seconds."""
    reserved = [nw.col(f"reserved_{resource}") * UNITS[resource] for resource in RESOURCES]
    unused = [
        (nw.col(f"most_{resource}") - nw.col(f"used_{resource}")) * UNITS[resource]
        for resource in RESOURCES
    ]
    return nw.sum_horizontal(*reserved), nw.sum_horizontal(*unused)


def capacity_units() -> nw.Expr:
    """What the row's node has, in the same units."""
    return nw.sum_horizontal(
        *(nw.col(f"all_capacity_{resource}") * UNITS[resource] for resource in RESOURCES)
    )
