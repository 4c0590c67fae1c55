"""Origin charges, split among accounts: every charge equals the sum of its parts, exactly."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Final

import narwhals as nw
import pyarrow as pa

from wattribute.accounting.chargeback.accounts import NOT_COVERED
from wattribute.accounting.chargeback.apportion import apportion
from wattribute.accounting.chargeback.engines import Frame, FrameEngine
from wattribute.accounting.chargeback.floor import share
from wattribute.accounting.chargeback.methods import Method
from wattribute.accounting.chargeback.period import Period
from wattribute.accounting.chargeback.places import Placed
from wattribute.accounting.chargeback.usage import IDLE
from wattribute.accounting.chargeback.weights import with_weights
from wattribute.core.units import MICROJOULES_PER_KWH

_BY: Final = ["place", "hour"]


@dataclass(slots=True)
class Cost:
    """What an account pays, in quanta."""

    cost: int = 0
    idle: int = 0
    """Of it for the floor, or for capacity that nobody took."""
    spare: int = 0
    """Of it for what was reserved and not used."""
    energy: int = 0
    """Of it what was split by energy: all, nothing, or in ``two-part`` some."""


def split_by_account(
    engine: FrameEngine, period: Period, placed: Placed, method: Method, tariff: pa.Table | None
) -> dict[int, Cost]:
    """Split all lines, and sum the parts by account.

    Args:
        engine: Who computes.
        period: The ledger.
        placed: The bill's lines, with places and hours.
        method: How.
        tariff: ``hour``, ``per_kwh`` (int64 quanta) for every hour; needed by ``two-part``.

    Returns:
        Costs by account; with those of lines without ledger (``NOT_COVERED``) they add up to
        the lines' sum.
    """
    sums: dict[int, Cost] = defaultdict(Cost)
    frames = parts_of(engine, period, placed, method, tariff)
    for part, parts in zip(method.parts, frames, strict=False):  # no lines: no frames
        table = engine.collect(
            parts.group_by("account").agg(
                nw.col("part").sum().cast(nw.Int64),
                nw.col("idle_part").sum().cast(nw.Int64),
                nw.col("spare_part").sum().cast(nw.Int64),
            )
        )
        for row in table.to_pylist():
            account = sums[row["account"]]
            account.cost += row["part"]
            account.idle += row["idle_part"]
            account.spare += row["spare_part"]
            account.energy += row["part"] if part == "energy" else 0
    return dict(sums)


def parts_of(
    engine: FrameEngine,
    period: Period,
    placed: Placed,
    method: Method,
    tariff: pa.Table | None,
) -> list[Frame]:
    """The parts of every charge.

    Args:
        engine: Who computes.
        period: The ledger.
        placed: The bill's lines.
        method: How.
        tariff: See ``split_by_account``.

    Returns:
        For each part of the method a frame: ``line``, ``account``, ``amount`` (the line's, or what
        of it belongs to this part of the method), ``weight``, ``line_weight`` (of all accounts),
        ``part``, ``idle_part``, ``spare_part`` (int64 quanta).
    """
    if placed.lines.num_rows == 0:
        return []
    hours, amounts = engine.frame(placed.hours), engine.frame(placed.lines)
    if len(method.parts) == 1:
        costs = [amounts.with_columns(nw.col("cost").alias("amount"))]
    else:
        costs = _two_parts(engine, period, hours, amounts, tariff)
    costs_by_part = []
    for part, amount in zip(method.parts, costs, strict=True):
        weights = with_weights(period.rows, method, part)
        joined = hours.join(weights, on=_BY, how="inner")
        costs_by_part.append(_split(engine, joined, amount.select("line", "amount")))
    return costs_by_part


def _split(engine: FrameEngine, joined: Frame, amounts: Frame) -> Frame:
    by_line = joined.group_by("line", "account").agg(
        *(
            nw.col(name).sum().cast(nw.Int64).alias(name)
            for name in ("weight", "idle_weight", "spare_weight")
        )
    )
    # A line for which the ledger has no hour at all is one part, of nobody.
    zero = nw.lit(0).cast(nw.Int64)
    rows = amounts.join(by_line, on="line", how="left").with_columns(
        nw.col("account").fill_null(NOT_COVERED).cast(nw.Int64),
        *(
            nw.col(name).fill_null(0).cast(nw.Int64).alias(name)
            for name in ("weight", "idle_weight", "spare_weight")
        ),
    )
    # Where nobody weighs anything it is idle that pays; every place and hour has that row.
    nobody = nw.col("weight").sum().over("line") == 0
    alone = nobody & nw.col("account").is_in([IDLE, NOT_COVERED])
    whole_one = nw.lit(1).cast(nw.Int64)
    rows = rows.with_columns(
        nw.when(alone).then(whole_one).otherwise(nw.col("weight")).alias("weight"),
        nw.when(alone).then(whole_one).otherwise(nw.col("idle_weight")).alias("idle_weight"),
    ).with_columns(nw.col("weight").sum().over("line").cast(nw.Int64).alias("line_weight"))
    parts = apportion(
        rows, group=["line"], amount="amount", weight="weight", order="account", into="part"
    )
    spare = nw.when(nw.col("weight") > 0).then(nw.col("spare_weight")).otherwise(zero)
    return engine.keep(
        parts.with_columns(
            share(nw.col("part"), nw.col("idle_weight"), nw.col("weight")).alias("idle_part"),
            share(nw.col("part"), spare, nw.col("weight")).alias("spare_part"),
        )
    )


def _two_parts(
    engine: FrameEngine,
    period: Period,
    hours: Frame,
    amounts: Frame,
    tariff: pa.Table | None,
) -> list[Frame]:
    """Cut every charge in what its electricity cost and the rest.

    A node's electricity in an hour is taken once, out of all charges for it in proportion, and
    never more than they are together; refunds hold none.
    """
    if tariff is None:
        raise ValueError("two-part needs a tariff")
    electric = (
        period.rows.with_columns((nw.col("dynamic_uj") + nw.col("paid_reserved")).alias("_uj"))
        .group_by(*_BY)
        .agg(nw.col("_uj").sum().cast(nw.Int64))
        .join(engine.frame(tariff), on="hour", how="inner")
    )
    kwh = nw.lit(float(MICROJOULES_PER_KWH))
    electricity = nw.col("_uj").cast(nw.Float64) * nw.col("per_kwh").cast(nw.Float64) / kwh
    zero = nw.lit(0).cast(nw.Int64)
    electric = electric.with_columns(electricity.floor().cast(nw.Int64).alias("_electricity"))
    positive = hours.filter(nw.col("hour_cost") > 0)
    charged = positive.group_by(*_BY).agg(nw.col("hour_cost").sum().cast(nw.Int64).alias("_all"))
    cut = (
        positive.join(electric.select(*_BY, "_electricity"), on=_BY, how="inner")
        .join(charged, on=_BY, how="inner")
        .with_columns(nw.min_horizontal("_electricity", "_all").alias("_taken"))
        .with_columns(share(nw.col("_taken"), nw.col("hour_cost"), nw.col("_all")).alias("_energy"))
        .group_by("line")
        .agg(nw.col("_energy").sum().cast(nw.Int64))
    )
    energy_and_cut = engine.keep(
        amounts.join(cut, on="line", how="left").with_columns(
            nw.col("_energy").fill_null(0).cast(nw.Int64)
        )
    )
    return [
        energy_and_cut.with_columns(nw.col("_energy").alias("amount")),
        energy_and_cut.with_columns((nw.col("cost") - nw.col("_energy") + zero).alias("amount")),
    ]
