"""A ledger's period, read once: who used what where, with the floor paid."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import narwhals as nw
import pyarrow as pa

from wattribute.accounting.chargeback.accounts import Accounts
from wattribute.accounting.chargeback.charges import hour_text
from wattribute.accounting.chargeback.engines import Frame, FrameEngine, Span
from wattribute.accounting.chargeback.floor import PLACE, pay_floor, with_idle_rows
from wattribute.accounting.chargeback.grams import CarbonFacts
from wattribute.accounting.chargeback.join import ChargedPlace, Nodes
from wattribute.accounting.chargeback.other_weights import (
    AS_SHARED,
    OTHER_WEIGHTS,
    EnergyColumn,
    WeightsInUse,
    completed,
    shared_as,
    weights_in_use,
)
from wattribute.accounting.chargeback.usage import (
    COLUMNS,
    COMPONENTS,
    NODE,
    RESOURCES,
    sum_by_account,
)
from wattribute.accounting.chargeback.weights import capacity_units, reserved_units
from wattribute.core.errors import DataInvalid
from wattribute.core.floor import FloorPolicy

_FACTS: Final = (*NODE, "instance_type", "region")
_WEIGHT_COLUMNS: Final = ("hour", "energy_uj", *OTHER_WEIGHTS, "shared_by")
_HOURS_PER_DAY: Final = 24


@dataclass(frozen=True, slots=True, eq=False)
class Period:
    """What a statement is made of."""

    span: Span
    rows: Frame
    """By ``place``, ``hour`` and ``account``: ``dynamic_uj``, ``low_uj``, ``high_uj``,
    ``below_uj``, ``above_uj``, ``measured_uj``, ``integrated_uj``, ``reserved_units``,
    ``unused_units``, ``capacity_units`` (of the node), ``paid_*`` and ``spare_*`` of each policy;
    where it was asked for, also resources and their ``all_*``."""
    nodes: Nodes
    facts: tuple[CarbonFacts, ...]
    """Of each node, in the order of its number."""
    namespaces: dict[str, int]
    """Numbers of namespaces that stand for a place, above those of the nodes."""
    node_hours: int
    """Hours x nodes with entries."""
    missing: tuple[tuple[str, int], ...]
    """Nodes with hours missing between their first and their last, and how many."""
    known: tuple[int, int]
    """The first hour with entries of any node, and the end of the last."""
    corrected: bool
    """There are corrections in it."""
    energy: EnergyColumn
    """The ledger's column that was taken for the energy."""
    weights: WeightsInUse


def read_period(
    engine: FrameEngine,
    chunks: Sequence[Sequence[str]],
    span: Span,
    accounts: Accounts,
    policies: Sequence[FloorPolicy],
    *,
    capacity: bool,
    energy: EnergyColumn = AS_SHARED,
    namespaces_for: Callable[[Nodes], Sequence[str]] = lambda _: (),
    step: Callable[[str], None] = lambda _: None,
) -> Period:
    """Read a period of the ledger.

    Args:
        engine: Who computes.
        chunks: Files of the ledger for these days; no hour is in two chunks. They are summed one
            after the other, so that memory does not grow with the month.
        span: The hours.
        accounts: Whose is what; numbered on the way.
        policies: Floor policies that the methods need.
        capacity: Some method goes by resources, so they are kept.
        energy: The ledger's column that is taken for the energy.
        namespaces_for: Given the nodes: namespaces that charges go to directly.
        step: Told what is being done, for a progress bar.

    Raises:
        DataInvalid: the ledger cannot be read, has nothing in the period, or holds hours twice.
    """
    step("who is in the ledger")
    files = [path for chunk in chunks for path in chunk]
    entries = _scan(engine, files, span, accounts)
    weights = weights_in_use(
        engine, completed(engine.scan(files, span, _WEIGHT_COLUMNS, {}), _WEIGHT_COLUMNS)
    )
    _refuse_duplicates(engine, entries)
    mapping, corrected = _numbered(engine, entries, accounts)
    facts = _facts(engine, entries)
    nodes = Nodes(
        [
            ChargedPlace(number, fact.cluster, fact.node, fact.provider_id)
            for number, fact in enumerate(facts)
        ]
    )
    numbers = {name: len(facts) + at for at, name in enumerate(namespaces_for(nodes))}
    kept = []
    for number, chunk in enumerate(chunks, 1):
        step(f"hours and accounts, {number} of {len(chunks)}")
        chunk_entries = _scan(engine, chunk, span, accounts, energy=energy)
        owned = _joined(engine, chunk_entries, mapping, accounts, facts)
        with engine.kept(_summed(engine, owned, numbers, policies, corrected=corrected)) as summed:
            rows = with_idle_rows(summed)
            for policy in policies:
                rows = pay_floor(rows, policy)
            kept.append(engine.keep(_slim(rows, policies, capacity=capacity)))
    whole = nw.concat(kept, how="vertical") if len(kept) > 1 else kept[0]
    node_hours, missing, known = _coverage(engine, whole, facts)
    return Period(
        *(span, whole, nodes, facts, numbers, node_hours, missing, known, corrected),
        *(energy, weights),
    )


def _scan(
    engine: FrameEngine,
    files: Sequence[str],
    span: Span,
    accounts: Accounts,
    *,
    energy: EnergyColumn = AS_SHARED,
    extra: Sequence[str] = ("namespace",),
) -> Frame:
    wanted = dict.fromkeys((*COLUMNS, *_FACTS, *accounts.columns, *extra, energy))
    entries = engine.scan(files, span, tuple(wanted), accounts.maps)
    return shared_as(completed(entries, wanted), energy)


def _summed(
    engine: FrameEngine,
    owned: Frame,
    namespaces: dict[str, int],
    policies: Sequence[FloorPolicy],
    *,
    corrected: bool,
) -> Frame:
    """Sums by place, hour and account; those of namespaces that are a place among them."""
    rows = sum_by_account(owned, corrected=corrected)
    if namespaces:
        of_them = _of_namespaces(engine, owned, namespaces)
        rows = nw.concat([rows, sum_by_account(of_them, corrected=corrected)], how="vertical")
    needed = any("pod_time" in policy.by for policy in policies)
    return _with_pod_time(rows, owned, needed=needed)


def _slim(rows: Frame, policies: Sequence[FloorPolicy], *, capacity: bool) -> Frame:
    """What the splitting needs; a fleet's month of all columns would fill the disk."""
    reserved, unused = reserved_units()
    dynamic = nw.sum_horizontal(*(f"dynamic_{component}" for component in COMPONENTS))
    bands = ("low_uj", "high_uj", "below_uj", "above_uj")
    columns = [*PLACE, "account", *bands, "measured_uj", "integrated_uj"]
    for policy in policies:
        columns += [f"paid_{policy.name}", f"spare_{policy.name}"]
    if capacity:
        kinds = ("reserved", "used", "most", "capacity")
        each = [f"{what}_{resource}" for what in kinds for resource in RESOURCES]
        columns += [*each, *(f"all_{name}" for name in each)]
    return rows.select(
        *columns,
        dynamic.cast(nw.Int64).alias("dynamic_uj"),
        reserved.cast(nw.Int64).alias("reserved_units"),
        unused.cast(nw.Int64).alias("unused_units"),
        capacity_units().cast(nw.Int64).alias("capacity_units"),
    )


def entries_of(
    engine: FrameEngine,
    files: Sequence[str],
    span: Span,
    accounts: Accounts,
    *,
    facts: Sequence[CarbonFacts],
    energy: EnergyColumn,
    extra: Sequence[str],
) -> Frame:
    """Entries as they are in the ledger, with ``account`` and ``place``, and columns besides.

    Args:
        engine: Who computes.
        files: Files of the ledger.
        span: Which hours.
        accounts: Those of a period that was read; they keep their numbers.
        facts: The nodes of that period, whose order numbers the places.
        energy: The ledger's column that is taken for the energy.
        extra: Columns of the ledger.
    """
    entries = _scan(engine, files, span, accounts, energy=energy, extra=extra)
    mapping, _ = _numbered(engine, entries, accounts)
    return _joined(engine, entries, mapping, accounts, facts)


def _numbered(engine: FrameEngine, entries: Frame, accounts: Accounts) -> tuple[pa.Table, bool]:
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
    order = sorted(range(table.num_rows), key=lambda at: [str(columns[key][at]) for key in keys])
    numbers = [0] * table.num_rows
    for at in order:
        row = {key: columns[key][at] for key in keys}
        numbers[at] = accounts.account_of(row, row.get("_day", 0))
    table = table.append_column("account", pa.array(numbers, pa.int64()))
    return table.rename_columns({key: f"_by_{key}" for key in keys}), corrected


def _keys(accounts: Accounts) -> list[str]:
    days = ["_day"] if accounts.dated else []
    return [*accounts.columns, *accounts.maps, *days]


def _dated(entries: Frame, accounts: Accounts) -> Frame:
    if not accounts.dated:
        return entries
    return entries.with_columns((nw.col("hour") // _HOURS_PER_DAY).cast(nw.Int64).alias("_day"))


def _joined(
    engine: FrameEngine,
    entries: Frame,
    mapping: pa.Table,
    accounts: Accounts,
    facts: Sequence[CarbonFacts],
) -> Frame:
    """Entries with ``account`` and ``place``."""
    keys = _keys(accounts)
    return (
        _dated(entries, accounts)
        .join(
            engine.frame(mapping),
            left_on=keys,
            right_on=[f"_by_{key}" for key in keys],
            how="inner",
        )
        .join(
            engine.frame(_places(facts)),
            left_on=list(NODE),
            right_on=[f"_at_{name}" for name in NODE],
            how="inner",
        )
    )


def _facts(engine: FrameEngine, entries: Frame) -> tuple[CarbonFacts, ...]:
    """The nodes, in order of their names."""
    found = engine.collect(
        entries.group_by(*NODE).agg(nw.col("instance_type").max(), nw.col("region").max())
    ).to_pylist()
    return tuple(
        sorted(
            (CarbonFacts(**row) for row in found),
            key=lambda fact: (fact.cluster, fact.node, fact.provider_id),
        )
    )


def _places(facts: Sequence[CarbonFacts]) -> pa.Table:
    return pa.table(
        {
            "_at_cluster": [fact.cluster for fact in facts],
            "_at_node": [fact.node for fact in facts],
            "_at_provider_id": [fact.provider_id for fact in facts],
            "place": pa.array(range(len(facts)), pa.int64()),
        }
    )


def _of_namespaces(engine: FrameEngine, owned: Frame, numbers: dict[str, int]) -> Frame:
    """Entries of namespaces that pay for a volume or a load balancer, placed there."""
    table = pa.table(
        {"_namespace": list(numbers), "_place": pa.array(numbers.values(), pa.int64())}
    )
    return (
        owned.filter(nw.col("kind") == "workload")
        .join(engine.frame(table), left_on="namespace", right_on="_namespace", how="inner")
        .with_columns(nw.col("_place").alias("place"))
    )


def _with_pod_time(rows: Frame, owned: Frame, *, needed: bool) -> Frame:
    """Add ``pod_s``: pods x seconds alive, a pod as long as its longest container.

    It is 0 where no policy goes by it: to find it takes a while.
    """
    if not needed:
        return rows.with_columns(nw.lit(0).cast(nw.Int64).alias("pod_s"))
    key = ("hour", "place", "account")
    pods = (
        owned.filter(nw.col("kind") == "workload")
        .group_by(*key, "pod_uid", "container", "container_id")
        .agg(nw.col("alive_s").sum().cast(nw.Int64))
        .group_by(*key, "pod_uid")
        .agg(nw.col("alive_s").max().cast(nw.Int64))
        .group_by(*key)
        .agg(nw.col("alive_s").sum().cast(nw.Int64).alias("pod_s"))
    )
    joined = rows.join(pods, on=list(key), how="left")
    return joined.with_columns(nw.col("pod_s").fill_null(0).cast(nw.Int64))


def _refuse_duplicates(engine: FrameEngine, entries: Frame) -> None:
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


def _coverage(
    engine: FrameEngine, rows: Frame, facts: Sequence[CarbonFacts]
) -> tuple[int, tuple[tuple[str, int], ...], tuple[int, int]]:
    """Node-hours known, the nodes that have holes, and the span from first to last."""
    by_node = engine.collect(
        rows.filter(nw.col("place") < len(facts))
        .select("place", "hour")
        .unique()
        .group_by("place")
        .agg(
            nw.len().cast(nw.Int64).alias("known"),
            nw.col("hour").min().alias("first"),
            nw.col("hour").max().alias("last"),
        )
    ).to_pylist()
    missing = [
        (facts[row["place"]].node, row["last"] - row["first"] + 1 - row["known"])
        for row in by_node
        if row["last"] - row["first"] + 1 > row["known"]
    ]
    known = (min(row["first"] for row in by_node), max(row["last"] for row in by_node) + 1)
    return sum(row["known"] for row in by_node), tuple(sorted(missing)), known
