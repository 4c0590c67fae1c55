"""A ledger's period, read once: who used what where, with the floor paid."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import narwhals as nw
import pyarrow as pa

from wattribute.chargeback.accounts import Accounts
from wattribute.chargeback.charges import hour_text
from wattribute.chargeback.engines import Engine, Span
from wattribute.chargeback.floor import pay_floor, with_idle_rows
from wattribute.chargeback.grams import NodeFacts
from wattribute.chargeback.join import Node, Nodes
from wattribute.chargeback.usage import AMOUNTS, COLUMNS, NODE, sum_by_account
from wattribute.errors import DataInvalid

_FACTS: Final = (*NODE, "instance_type", "region")
_HOURS_PER_DAY: Final = 24


@dataclass(frozen=True, slots=True, eq=False)
class Period:
    """What a statement is made of."""

    span: Span
    rows: nw.LazyFrame
    """By ``place``, ``hour`` and ``account``: ``AMOUNTS``, ``all_*``, ``paid_*``, ``spare_*``."""
    nodes: Nodes
    facts: tuple[NodeFacts, ...]
    """Of each node, in the order of its number."""
    namespaces: dict[str, int]
    """Numbers of namespaces that stand for a place, above those of the nodes."""
    node_hours: int
    """Hours x nodes with entries."""
    missing: tuple[tuple[str, int], ...]
    """Nodes with hours missing between their first and their last, and how many."""
    corrected: bool
    """There are corrections in it."""


def read_period(
    engine: Engine,
    files: Sequence[str],
    span: Span,
    accounts: Accounts,
    policies: Sequence[str],
    namespaces_for: Callable[[Nodes], Sequence[str]] = lambda _: (),
    step: Callable[[str], None] = lambda _: None,
) -> Period:
    """Read a period of the ledger.

    Args:
        engine: Who computes.
        files: Files of the ledger for these days.
        span: The hours.
        accounts: Whose is what; numbered on the way.
        policies: Floor policies that the methods need.
        namespaces_for: Given the nodes: namespaces that charges go to directly.
        step: Told what is being done, for a progress bar.

    Raises:
        DataInvalid: the ledger cannot be read, has nothing in the period, or holds hours twice.
    """
    step("who is in the ledger")
    wanted = dict.fromkeys((*COLUMNS, *_FACTS, *accounts.columns, "namespace"))
    entries = engine.scan(files, span, tuple(wanted), accounts.maps)
    _refuse_duplicates(engine, entries)
    mapping, corrected = _numbered(engine, entries, accounts)
    owned = _join_accounts(engine, entries, mapping, accounts)
    step("hours and accounts")
    summed = engine.keep(sum_by_account(owned, NODE, corrected=corrected))
    facts = _facts(engine, entries, summed)
    nodes = Nodes(
        [
            Node(number, fact.cluster, fact.node, fact.provider_id)
            for number, fact in enumerate(facts)
        ]
    )
    names = namespaces_for(nodes)
    numbers = {name: len(facts) + at for at, name in enumerate(names)}
    place_of = engine.frame(_places(facts))
    rows = summed.join(place_of, on=list(NODE), how="inner").select(
        "place", "hour", "account", *AMOUNTS
    )
    if numbers:
        rows = nw.concat(
            [rows, _of_namespaces(engine, owned, numbers, corrected=corrected)], how="vertical"
        )
    rows = _with_pod_time(engine, rows, owned, place_of, even="even" in policies)
    step("the floor")
    rows = with_idle_rows(engine.keep(rows))
    for policy in policies:
        rows = pay_floor(rows, policy)
    node_hours, missing = _coverage(engine, summed)
    return Period(
        span, engine.keep(rows), nodes, facts, numbers, node_hours, missing, corrected
    )


def _numbered(
    engine: Engine, entries: nw.LazyFrame, accounts: Accounts
) -> tuple[pa.Table, bool]:
    """Distinct workloads with their accounts, and whether any entry is a correction."""
    keys = _keys(accounts)
    distinct = engine.collect(
        _dated(entries, accounts)
        .with_columns((nw.col("corrects") != "").alias("_corrected"))
        .select(*keys, "_corrected")
        .unique()
    )
    if distinct.num_rows == 0:
        raise DataInvalid("the ledger has no entries in this period; `wattribute ledger collect`")
    corrected = any(distinct["_corrected"].to_pylist())
    table = distinct.drop_columns(["_corrected"]).group_by(keys).aggregate([])
    columns = {key: table[key].to_pylist() for key in keys}
    # In order, so that accounts have the same numbers whatever order an engine answers in.
    order = sorted(
        range(table.num_rows), key=lambda at: [str(columns[key][at]) for key in keys]
    )
    numbers = [0] * table.num_rows
    for at in order:
        row = {key: columns[key][at] for key in keys}
        numbers[at] = accounts.account_of(row, row.get("_day", 0))
    table = table.append_column("account", pa.array(numbers, pa.int64()))
    return table.rename_columns({key: f"_by_{key}" for key in keys}), corrected


def _keys(accounts: Accounts) -> list[str]:
    days = ["_day"] if accounts.dated else []
    return [*accounts.columns, *accounts.maps, *days]


def _dated(entries: nw.LazyFrame, accounts: Accounts) -> nw.LazyFrame:
    if not accounts.dated:
        return entries
    return entries.with_columns((nw.col("hour") // _HOURS_PER_DAY).cast(nw.Int64).alias("_day"))


def _join_accounts(
    engine: Engine, entries: nw.LazyFrame, mapping: pa.Table, accounts: Accounts
) -> nw.LazyFrame:
    keys = _keys(accounts)
    return _dated(entries, accounts).join(
        engine.frame(mapping), left_on=keys, right_on=[f"_by_{key}" for key in keys], how="inner"
    )


def _facts(
    engine: Engine, entries: nw.LazyFrame, summed: nw.LazyFrame
) -> tuple[NodeFacts, ...]:
    """The nodes, in order of their names; type and region are taken from their idle rows."""
    told = entries.filter(nw.col("kind") == "idle").group_by(*NODE)
    known = engine.collect(
        told.agg(nw.col("instance_type").max(), nw.col("region").max())
    ).to_pylist()
    by_node = {tuple(row[name] for name in NODE): row for row in known}
    seen = engine.collect(summed.select(*NODE).unique()).to_pylist()
    keys = sorted(tuple(row[name] for name in NODE) for row in seen)
    return tuple(
        NodeFacts(
            *key,
            by_node.get(key, {}).get("instance_type") or "",
            by_node.get(key, {}).get("region") or "",
        )
        for key in keys
    )


def _places(facts: Sequence[NodeFacts]) -> pa.Table:
    return pa.table(
        {
            "cluster": [fact.cluster for fact in facts],
            "node": [fact.node for fact in facts],
            "provider_id": [fact.provider_id for fact in facts],
            "place": pa.array(range(len(facts)), pa.int64()),
        }
    )


def _of_namespaces(
    engine: Engine, owned: nw.LazyFrame, numbers: dict[str, int], *, corrected: bool
) -> nw.LazyFrame:
    """The same sums for namespaces that pay for a volume or a load balancer."""
    table = pa.table(
        {
            "_namespace": list(numbers),
            "place": pa.array(numbers.values(), pa.int64()),
        }
    )
    of_them = owned.filter(nw.col("kind") == "workload").join(
        engine.frame(table), left_on="namespace", right_on="_namespace", how="inner"
    )
    return sum_by_account(of_them, ("place",), corrected=corrected).select(
        "place", "hour", "account", *AMOUNTS
    )


def _with_pod_time(
    engine: Engine, rows: nw.LazyFrame, owned: nw.LazyFrame, place_of: nw.LazyFrame, *, even: bool
) -> nw.LazyFrame:
    """Add ``pod_s``: pods x seconds alive, a pod as long as its longest container.

    Only the policy ``even`` looks at it; else it is 0.
    """
    if not even:
        return rows.with_columns(nw.lit(0).cast(nw.Int64).alias("pod_s"))
    pods = (
        owned.filter(nw.col("kind") == "workload")
        .group_by("hour", *NODE, "account", "pod_uid", "container", "container_id")
        .agg(nw.col("alive_s").sum().cast(nw.Int64))
        .group_by("hour", *NODE, "account", "pod_uid")
        .agg(nw.col("alive_s").max().cast(nw.Int64))
        .group_by("hour", *NODE, "account")
        .agg(nw.col("alive_s").sum().cast(nw.Int64).alias("pod_s"))
        .join(place_of, on=list(NODE), how="inner")
        .select("place", "hour", "account", "pod_s")
    )
    joined = rows.join(engine.keep(pods), on=["place", "hour", "account"], how="left")
    return joined.with_columns(nw.col("pod_s").fill_null(0).cast(nw.Int64))


def _refuse_duplicates(engine: Engine, entries: nw.LazyFrame) -> None:
    """A node's hour can be sealed once; a file that was copied beside itself doubles everything."""
    first = entries.filter((nw.col("kind") == "idle") & (nw.col("corrects") == ""))
    twice = (
        first.group_by("hour", "cluster", "node", "component", "origin")
        .agg(nw.len().cast(nw.Int64).alias("times"))
        .filter(nw.col("times") > 1)
    )
    found = engine.collect(twice.sort("hour", "node").head(1)).to_pylist()
    if found:
        row = found[0]
        raise DataInvalid(
            f"the ledger has {hour_text(row['hour'])} of node {row['node']!r} "
            f"{row['times']} times ({row['component']}); was a file copied, or one ledger "
            "collected into another? Remove the copy and try again"
        )


def _coverage(engine: Engine, summed: nw.LazyFrame) -> tuple[int, tuple[tuple[str, int], ...]]:
    """Node-hours known, and the nodes that have holes."""
    hours = summed.group_by(*NODE, "hour").agg(nw.col("covered_s").max())
    by_node = engine.collect(
        hours.group_by(*NODE).agg(
            nw.len().cast(nw.Int64).alias("known"),
            nw.col("hour").min().alias("first"),
            nw.col("hour").max().alias("last"),
        )
    ).to_pylist()
    missing = [
        (row["node"], row["last"] - row["first"] + 1 - row["known"])
        for row in by_node
        if row["last"] - row["first"] + 1 > row["known"]
    ]
    return sum(row["known"] for row in by_node), tuple(sorted(missing))
