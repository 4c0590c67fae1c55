"""Sums over a ledger, and what is wrong with it: DuckDB over its files."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import duckdb
import pyarrow as pa
from pyarrow import dataset

from wattribute.accounting.ledger.ownership import Ownership
from wattribute.accounting.ledger.schema import KEY, LATER, SCHEMA
from wattribute.accounting.ledger.store import Store
from wattribute.core.errors import ConfigInvalid, DataInvalid, LedgerFailed
from wattribute.core.units import HOUR_S

BY: Final = (
    *("cluster", "node", "instance_type", "region", "kind", "component", "origin", "shared_by"),
    *("namespace", "pod", "container", "owner_kind", "owner_name"),
)
"""Columns that entries can be grouped by, beside ``label:NAME`` and ``annotation:NAME``."""
_ABOUT_NODES: Final = frozenset(BY[:8])
_SUMS: Final = (
    "sum(energy_uj)::hugeint, sum(floor_uj)::hugeint, sum(low_uj)::hugeint, "
    "sum(high_uj)::hugeint, sum(cpu_ns)::hugeint, "
    "coalesce(sum(energy_uj) filter (origin = 'estimated'), 0)::hugeint, "
    "sum(time_uj)::hugeint, sum(learned_uj)::hugeint"
)
_SECONDS: Final = "epoch_us(hour) // 1000000"
"""Instants leave DuckDB as numbers: as timestamps they would need pytz."""
_MAPS: Final = {"label": "labels", "annotation": "annotations"}


@dataclass(frozen=True, slots=True)
class Sum:
    """Energy of one group, in microjoules."""

    group: str
    """``(idle)``, ``(system)`` and so on where the key says nothing of such entries."""
    energy_uj: int
    floor_uj: int
    """The part of it that is the floor of nodes."""
    low_uj: int
    high_uj: int
    cpu_ns: int
    estimated_uj: int
    """The part of it that is estimated."""
    time_uj: int
    """What it would be if CPU time were the weight."""
    learned_uj: int


@dataclass(frozen=True, slots=True)
class Gap:
    """Hours of a node that are not, or not wholly, in the ledger."""

    cluster: str
    node: str
    start_s: int
    end_s: int
    """Unix seconds."""
    missing_s: int


def sums(store: Store, start_s: int, end_s: int, by: str) -> list[Sum]:
    """Return the entries in [start_s, end_s), added up by a key, the largest first.

    Raises:
        ConfigInvalid: no such key.
        DataInvalid: a file of the ledger is damaged.
        LedgerFailed: the ledger cannot be read.
    """
    group, parameters = _group(by)
    with _connected(store, start_s, end_s) as database:
        rows = _ask(
            database,
            f"select {group} as who, {_SUMS} "  # noqa: S608 - of the table above
            "from entries group by who order by 2 desc, who",
            parameters,
        )
    return [Sum(*row) for row in rows]


def owned(store: Store, start_s: int, end_s: int, ownership: Ownership, by: str) -> list[Sum]:
    """Return the same by ``team``, ``product``, ``environment`` or ``cost_center``, as rules say.

    What no rule gives to somebody is a group of its own: ``(unowned)``, or ``(idle)`` and so on
    where it is no workload.

    Raises:
        DataInvalid: a file of the ledger is damaged.
        LedgerFailed: the ledger cannot be read.
    """
    subjects = ownership.subjects
    parameters = [name.partition(":")[2] for name in subjects if ":" in name]
    texts = iter(range(1, len(parameters) + 1))
    columns = [f"coalesce({_subject(name, texts)}, '') as s{n}" for n, name in enumerate(subjects)]
    query = (
        f"select {', '.join(['kind', 'cast(hour as date) as day', *columns])}, {_SUMS} "  # noqa: S608 - of tables
        "from entries group by all"
    )
    with _connected(store, start_s, end_s) as database:
        rows = _ask(database, query, parameters)
    found: dict[str, list[int]] = {}
    for kind, day, *rest in rows:
        values, amounts = rest[: len(subjects)], rest[len(subjects) :]
        owner = ownership.owner_of(dict(zip(subjects, values, strict=True)), day)
        special = "(unowned)" if kind == "workload" else f"({kind})"
        group = found.setdefault(getattr(owner, by) or special, [0] * len(amounts))
        for place, amount in enumerate(amounts):
            group[place] += amount
    ranked = sorted(found.items(), key=lambda item: (-item[1][0], item[0]))
    return [Sum(group, *amounts) for group, amounts in ranked]


def _subject(name: str, texts: Iterator[int]) -> str:
    prefix, _, label = name.partition(":")
    if label:
        return f"{_MAPS[prefix]}[${next(texts)}]"
    return "owner_kind || '/' || owner_name" if name == "owner" else name


def gaps(store: Store, start_s: int, end_s: int) -> list[Gap]:
    """Return the hours between a node's first and last that are not whole; neighbours are one gap.

    Raises:
        DataInvalid: a file of the ledger is damaged.
        LedgerFailed: the ledger cannot be read.
    """
    with _connected(store, start_s, end_s) as database:
        rows = _ask(
            database,
            "select cluster, node, (epoch_us(hour) // 3600000000)::bigint as h, sum(covered_s) "
            "from entries where kind = 'idle' and component = 'cpu' group by all order by all",
        )
    return list(_gaps(rows))


def faults(store: Store, start_s: int, end_s: int) -> list[str]:
    """Return what must not be: entries that are there twice, and workloads below 0.

    Raises:
        DataInvalid: a file of the ledger is damaged.
        LedgerFailed: the ledger cannot be read.
    """
    key = ", ".join(KEY)
    with _connected(store, start_s, end_s) as database:
        twice = _ask(
            database,
            f"with twice as (select {key}, max(seal_id) as later, count(*) as n from entries "  # noqa: S608 - of the schema
            f"where corrects = '' group by {key} having n > 1) "
            f"select {_SECONDS}, cluster, node, max(later), count(*) from twice "
            "group by all order by all",
        )
        below = _ask(
            database,
            f"select {_SECONDS} as s, node, pod, container, sum(energy_uj)::hugeint as e "  # noqa: S608 - of the schema
            f"from entries where kind = 'workload' group by {key} having e < 0 order by all",
        )
    said = [
        f"{_shown(hour_s)} {cluster}/{node}: {count} entries are there twice, the later ones "
        f"in seal {later}: two runs at once; move its file away"
        for hour_s, cluster, node, later, count in twice
    ]
    said += [
        f"{_shown(hour_s)} {node}: {pod}/{container} has less than 0: {energy_uj} uJ"
        for hour_s, node, pod, container, energy_uj in below
    ]
    return said


def _shown(at_s: int) -> str:
    return f"{datetime.fromtimestamp(at_s, UTC):%Y-%m-%d %H:%M}"


def _group(by: str) -> tuple[str, list[str]]:
    special = "'(' || kind || ')'"
    prefix, _, name = by.partition(":")
    if prefix in _MAPS and name:
        value = f"{_MAPS[prefix]}[$1]"
        return f"case when kind = 'workload' then coalesce({value}, '') else {special} end", [name]
    if by in _ABOUT_NODES:
        return by, []
    if by in BY:
        return f"case when kind = 'workload' then {by} else {special} end", []
    raise ConfigInvalid(
        f"--by {by}: no such key; known are {', '.join(BY)}, label:NAME, annotation:NAME"
    )


def _connected(store: Store, start_s: int, end_s: int) -> duckdb.DuckDBPyConnection:
    """A database in memory in which ``entries`` are those of the hours in [start_s, end_s)."""
    files = store.files(start_s, end_s)
    for path in files:
        store.check_file(path)
    database = duckdb.connect()
    whole = dataset.dataset(files, SCHEMA, format="parquet", filesystem=store.filesystem)
    database.register("every_entry", whole if files else SCHEMA.empty_table())
    database.execute("set timezone = 'UTC'")
    period = f"epoch_us(hour) >= {start_s}000000 and epoch_us(hour) < {end_s}000000"
    completed = ", ".join(
        f"coalesce({name}, {stand_in or repr('')}) as {name}" for name, stand_in in LATER.items()
    )
    database.execute(
        f"create view entries as select * replace ({completed}) from every_entry where {period}"  # noqa: S608 - whole numbers and names of ours
    )
    return database


def _ask(
    database: duckdb.DuckDBPyConnection, query: str, parameters: list[str] | None = None
) -> list[tuple[Any, ...]]:
    try:
        return database.execute(query, parameters or []).fetchall()
    except (duckdb.IOException, OSError, pa.ArrowException) as exc:
        raise LedgerFailed(f"cannot read the ledger: {exc}") from exc
    except duckdb.InvalidInputException as exc:
        raise DataInvalid(f"cannot read the ledger: {exc}") from exc


def _gaps(rows: list[tuple[str, str, int, int]]) -> Iterator[Gap]:
    last: tuple[str, str, int] | None = None
    found: list[Gap] = []
    for cluster, node, hour, covered_s in rows:
        if last is not None and last[:2] == (cluster, node) and hour > last[2] + 1:
            missing = hour - last[2] - 1
            found.append(
                Gap(cluster, node, (last[2] + 1) * HOUR_S, hour * HOUR_S, missing * HOUR_S)
            )
        if covered_s < HOUR_S:
            found.append(
                Gap(cluster, node, hour * HOUR_S, hour * HOUR_S + HOUR_S, HOUR_S - covered_s)
            )
        last = (cluster, node, hour)
    joined: Gap | None = None
    for gap in found:
        if joined and (joined.node, joined.cluster, joined.end_s) == (
            *(gap.node, gap.cluster),
            gap.start_s,
        ):
            missing_s = joined.missing_s + gap.missing_s
            joined = Gap(gap.cluster, gap.node, joined.start_s, gap.end_s, missing_s)
            continue
        if joined:
            yield joined
        joined = gap
    if joined:
        yield joined
