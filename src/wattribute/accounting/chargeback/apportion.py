"""Largest remainder: a whole amount in whole parts, which add up to it exactly.

Money is counted in quanta (``money.Currency``), energy in microjoules. The quotas are IEEE
doubles, computed in one fixed order, so every engine finds the same; a quota beyond 2^53 may be
off by a quantum or two, which the remainder then puts right: the sum is exact whatever the quotas.
This is ``core.shares`` in the language of the query engines.
"""

from collections.abc import Iterable, Sequence
from typing import Final

import narwhals as nw

from wattribute.accounting.chargeback.engines import Frame

_TOTAL: Final = "_total"
_COUNT: Final = "_count"
_ONE: Final = "_one"
_QUOTA: Final = "_quota"
_WHOLE: Final = "_whole"
_REST: Final = "_rest"
_LEFT: Final = "_left"
_RANK: Final = "_rank"
_INNER: Final = (_TOTAL, _COUNT, _ONE, _QUOTA, _WHOLE, _REST, _LEFT, _RANK)


def apportion(
    frame: Frame, *, group: Sequence[str], amount: str, weight: str, order: str, into: str
) -> Frame:
    """Share an amount in every group of rows by largest remainder.

    Args:
        frame: Rows to share among.
        group: Columns whose values make a group.
        amount: Column with the amount, the same on every row of a group; int64, any sign.
        weight: int64 >= 0, not all 0 in a group.
        order: Column that decides between equal remainders: the smaller is given first. Unique in
            a group, so that the result does not depend on the engine.
        into: Name of the new column: int64 parts, whose sum in a group is its amount.
    """
    quota = (
        nw.col(amount).cast(nw.Float64)
        * nw.col(weight).cast(nw.Float64)
        / nw.col(_TOTAL).cast(nw.Float64)
    )
    step = nw.when(nw.col(_RANK) <= _modulo(nw.col(_LEFT), nw.col(_COUNT))).then(1).otherwise(0)
    each = ((nw.col(_LEFT) - _modulo(nw.col(_LEFT), nw.col(_COUNT))) / nw.col(_COUNT)).round()
    return (
        frame.with_columns(nw.lit(1).cast(nw.Int64).alias(_ONE))
        .with_columns(
            nw.col(weight).sum().over(*group).cast(nw.Int64).alias(_TOTAL),
            nw.col(_ONE).sum().over(*group).cast(nw.Int64).alias(_COUNT),
        )
        .with_columns(quota.alias(_QUOTA))
        .with_columns(nw.col(_QUOTA).floor().cast(nw.Int64).alias(_WHOLE))
        .with_columns(
            (nw.col(_WHOLE).cast(nw.Float64) - nw.col(_QUOTA)).alias(_REST),
            (nw.col(amount) - nw.col(_WHOLE).sum().over(*group).cast(nw.Int64)).alias(_LEFT),
        )
        .with_columns(
            nw.col(_ONE).cum_sum().over(*group, order_by=[_REST, order]).cast(nw.Int64).alias(_RANK)
        )
        .with_columns((nw.col(_WHOLE) + each.cast(nw.Int64) + step.cast(nw.Int64)).alias(into))
        .drop(*_INNER)
    )


def _modulo(number: nw.Expr, divisor: nw.Expr) -> nw.Expr:
    """``number mod divisor`` in [0, divisor), also for negative numbers (engines differ there)."""
    return ((number % divisor) + divisor) % divisor


def to_cents(quanta: Iterable[int], total_cents: int, per_cent: int) -> list[int]:
    """Round amounts to cents so that they add up to a total that is rounded already.

    Args:
        quanta: The exact amounts; their sum is within a cent of the total.
        total_cents: What the cents must add up to.
        per_cent: Quanta in a cent.
    """
    amounts = list(quanta)
    cents = [amount // per_cent for amount in amounts]
    rests = [amount % per_cent for amount in amounts]
    if not cents:
        return []
    each, left = divmod(total_cents - sum(cents), len(cents))
    order = sorted(range(len(cents)), key=lambda at: (-rests[at], at))
    for place in order[:left]:
        cents[place] += 1
    return [cent + each for cent in cents]
