"""Largest remainder: nothing is made, nothing is lost, on every engine."""

import random
from fractions import Fraction
from functools import cache

import narwhals as nw
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattribute.accounting.chargeback.apportion import apportion, to_cents
from wattribute.accounting.chargeback.engines import open_engine
from wattribute.core.shares import apportion_list

_GROUPS = 15_000


@cache
def _made(seed: int) -> pa.Table:
    """Random charges: refunds, zero amounts, one weight alone, huge and tiny ones, zero weights."""
    chance = random.Random(seed)
    rows: dict[str, list[int]] = {"line": [], "amount": [], "weight": [], "account": []}
    for line in range(_GROUPS):
        amount = chance.choice([0, 1, -1, chance.randint(-(10**13), 10**13), 10**16 + line])
        count = chance.randint(1, 12)
        most = chance.choice([1, 1000, 10**12, 10**15])
        weights = [chance.choice([0, chance.randint(0, most)]) for _ in range(count)]
        weights[chance.randrange(count)] += 1
        for account, weight in enumerate(weights):
            rows["line"].append(line)
            rows["amount"].append(amount)
            rows["weight"].append(weight)
            rows["account"].append(account)
    return pa.table({name: pa.array(values, pa.int64()) for name, values in rows.items()})


@pytest.mark.parametrize("engine", ["duckdb", "polars"])
def test_fifteen_thousand_charges_equal_the_sum_of_their_parts(engine: str) -> None:
    table = _made(7)
    with open_engine(engine, []) as opened:
        parts = opened.collect(
            apportion(
                opened.frame(table),
                group=["line"],
                amount="amount",
                weight="weight",
                order="account",
                into="part",
            ).select("line", "account", "amount", "weight", nw.col("part").cast(nw.Int64))
        )
    rows = parts.to_pylist()
    assert len(rows) == table.num_rows
    by_line = parts.group_by("line").aggregate(
        [("part", "sum"), ("weight", "sum"), ("amount", "max")]
    )
    assert by_line["part_sum"] == by_line["amount_max"]
    total = dict(zip(*(by_line[name].to_pylist() for name in ("line", "weight_sum")), strict=True))
    for row in rows:
        fair = row["amount"] * row["weight"] / total[row["line"]]
        assert abs(row["part"] - fair) <= 2 + abs(fair) / 2**50


def test_engines_give_the_same_parts() -> None:
    found = []
    for name in ("duckdb", "polars"):
        with open_engine(name, []) as opened:
            shared = apportion(
                opened.frame(_made(7)),
                group=["line"],
                amount="amount",
                weight="weight",
                order="account",
                into="part",
            )
            rows = opened.collect(shared.select("line", "account", "part")).to_pylist()
        found.append(sorted((row["line"], row["account"], row["part"]) for row in rows))
    assert found[0] == found[1]


@given(st.integers(-(10**20), 10**20), st.lists(st.integers(0, 10**15), min_size=1, max_size=20))
def test_exact_parts_sum_to_the_amount_and_are_within_one_of_their_share(
    amount: int, weights: list[int]
) -> None:
    parts = apportion_list(amount, weights)
    assert sum(parts) == amount
    total = sum(weights)
    if total:
        assert all(
            abs(part - Fraction(amount * weight, total)) < 1
            for part, weight in zip(parts, weights, strict=True)
        )


@given(st.lists(st.integers(-(10**15), 10**15), min_size=1, max_size=30))
def test_cents_add_up_to_the_rounded_total(quanta: list[int]) -> None:
    per_cent = 10**7
    total = round(Fraction(sum(quanta), per_cent))
    cents = to_cents(quanta, total, per_cent)
    assert sum(cents) == total
    assert all(
        abs(cent - Fraction(amount, per_cent)) <= 1
        for cent, amount in zip(cents, quanta, strict=True)
    )
