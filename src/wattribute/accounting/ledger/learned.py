"""Learned weights in a ledger: watts per core by workload and node, pooled for new nodes.

An entry of a zone that was shared by learned weights has the energy that it would have by CPU time
as well. Their ratio, over any span, is the workload's watts per core against the mean of its node.
Its uncertainty is the entry's band: errors of one workload last, so hours add up at both ends.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from math import log
from typing import Any, Final

import duckdb
import pyarrow as pa
from pyarrow import dataset

from wattribute.accounting.ledger.pooling import pool, ratios_of
from wattribute.accounting.ledger.store import Store
from wattribute.core.errors import DataInvalid, LedgerFailed
from wattribute.core.records import (
    BAND_DEVIATIONS,
    PooledWeights,
    PooledWorkload,
    WorkloadKey,
    ZoneKind,
)
from wattribute.core.units import HOUR_S, MICROSECONDS_PER_SECOND, NANOSECONDS_PER_SECOND

_ZONE_OF_COMPONENT: Final[dict[str, ZoneKind]] = {"cpu": "package", "dram": "dram"}
_NEEDED: Final = ("time_uj", "shared_by")
_LEAST_CPU_HOURS: Final = 0.1
"""Less says nothing: the learner needs minutes."""
_MIXTURES: Final = frozenset({"ended"})
"""Names of containers that stand for whatever ended, so that no workload has that key."""
_QUERY: Final = """
select component, kind, owner_kind, owner_name, namespace, container,
  cluster || '/' || node as machine, instance_type,
  coalesce(sum(energy_uj) filter (shared_by = $method), 0)::hugeint,
  coalesce(sum(time_uj) filter (shared_by = $method), 0)::hugeint,
  coalesce(sum(low_uj) filter (shared_by = $method), 0)::hugeint,
  coalesce(sum(high_uj) filter (shared_by = $method), 0)::hugeint,
  sum(cpu_ns)::hugeint
from entries
where component in ('cpu', 'dram') and origin in ('measured', 'integrated')
  and kind in ('workload', 'system', 'kernel')
  and (owner_kind <> '' or pod = '')  -- a pod without an owner has no other like it
group by all order by all
"""


@dataclass(frozen=True, slots=True)
class NodeSelection:
    """Which nodes are pooled. The ledger does not know CPU models."""

    names: tuple[str, ...] = ()
    """Patterns (``pool-a-*``); empty: all nodes."""
    instance_types: tuple[str, ...] = ()
    """Empty: of any type."""

    def has(self, node: str, instance_type: str) -> bool:
        """Whether a node is selected."""
        fits = not self.names or any(fnmatchcase(node, name) for name in self.names)
        return fits and (not self.instance_types or instance_type in self.instance_types)


@dataclass(frozen=True, slots=True)
class LearnedRow:
    """One workload on one node, in one kind of zone."""

    zone_kind: ZoneKind
    key: WorkloadKey
    node: str
    instance_type: str
    log_ratio: float
    deviation: float
    """Standard deviation of ``log_ratio``."""
    cpu_hours: float


def pool_ledger(
    store: Store, start_s: int, end_s: int, cpu: str, nodes: NodeSelection
) -> tuple[PooledWeights, tuple[str, ...]]:
    """Pool what the selected nodes learned in the hours of [start_s, end_s).

    Args:
        store: the ledger.
        start_s: Unix seconds.
        end_s: Unix seconds.
        cpu: key of the CPU model that these nodes have.
        nodes: which nodes.

    Returns:
        The document, and what must be said about it.

    Raises:
        DataInvalid: nothing was shared by learned weights there, or a file is damaged.
        LedgerFailed: the ledger cannot be read.
    """
    method, rows = _learned(store, start_s, end_s, nodes)
    zones: dict[ZoneKind, tuple[PooledWorkload, ...]] = {}
    for zone_kind in _ZONE_OF_COMPONENT.values():
        pooled = tuple(_pooled([row for row in rows if row.zone_kind == zone_kind]))
        if pooled:
            zones[zone_kind] = pooled
    if not zones:
        raise DataInvalid(
            f"{store.root}: learned weights, but too little: no workload ran for "
            f"{_LEAST_CPU_HOURS:g} CPU hours and was told from the others; wait for more hours"
        )
    document = PooledWeights(
        cpu=cpu,
        method=method,
        written_at=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        zones=zones,
    )
    return document, tuple(_notes(rows, zones))


def _notes(
    rows: list[LearnedRow], zones: dict[ZoneKind, tuple[PooledWorkload, ...]]
) -> Iterator[str]:
    types = sorted({row.instance_type for row in rows if row.instance_type})
    if len(types) > 1:
        yield f"nodes of {len(types)} instance types are pooled as one CPU: {', '.join(types)}"
    for zone_kind, workloads in zones.items():
        groups = len({workload.group for workload in workloads})
        if groups > 1:
            yield (
                f"{zone_kind}: {groups} groups of nodes share no workload; each keeps a scale of "
                "its own"
            )
        if all(workload.nodes == 1 for workload in workloads):
            yield f"{zone_kind}: no workload ran on two nodes, so how far nodes differ is not known"


def _pooled(rows: list[LearnedRow]) -> Iterator[PooledWorkload]:
    keys = sorted({row.key for row in rows})
    nodes = sorted({row.node for row in rows})
    place = {key: at for at, key in enumerate(keys)}
    node_place = {node: at for at, node in enumerate(nodes)}
    hours = dict.fromkeys(keys, 0.0)
    for row in rows:
        hours[row.key] += row.cpu_hours
    result = pool(
        ratios_of([(place[r.key], node_place[r.node], r.log_ratio, r.deviation) for r in rows])
    )
    for at, workload in enumerate(result.workload):
        key = keys[workload]
        yield PooledWorkload(
            owner_kind=key.owner_kind,
            owner_name=key.owner_name,
            namespace=key.namespace,
            container=key.container_name,
            log_ratio=round(float(result.log_ratio[at]), 4),
            deviation=round(float(result.deviation[at]), 4),
            nodes=int(result.nodes[at]),
            cpu_hours=round(hours[key], 2),
            group=int(result.group[at]),
        )


def _version(method: str) -> int:
    """Return 2 of ``learned-2``; weights of the newest version alone are pooled."""
    number = method.rpartition("-")[2]
    return int(number) if number.isdigit() else 0


def _learned(
    store: Store, start_s: int, end_s: int, nodes: NodeSelection
) -> tuple[str, list[LearnedRow]]:
    database = _connected(store, start_s, end_s)
    try:
        methods = database.execute(
            "select distinct shared_by from entries where shared_by like 'learned-%'"
        ).fetchall()
        if not methods:
            raise DataInvalid(_nothing(store))
        method = max((name for (name,) in methods), key=_version)
        answer = database.execute(_QUERY, {"method": method}).fetchall()
    except (duckdb.IOException, OSError, pa.ArrowException) as exc:
        raise LedgerFailed(f"cannot read the ledger: {exc}") from exc
    finally:
        database.close()
    hours = {
        _subject(row): row[12] / (HOUR_S * NANOSECONDS_PER_SECOND)
        for row in answer
        if row[0] == "cpu"
    }
    rows = []
    for row in answer:
        node, instance_type = row[6], row[7]
        if nodes.has(node.partition("/")[2], instance_type):
            learned = _row(row, hours.get(_subject(row), 0.0))
            if learned is not None:
                rows.append(learned)
    return str(method), rows


def _subject(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return row[1:8]


def _row(row: tuple[Any, ...], cpu_hours: float) -> LearnedRow | None:
    """Return what one node learned of one workload; None if that is nothing."""
    component, kind, owner_kind, owner_name, namespace, container, node, instance_type = row[:8]
    energy_uj, time_uj, low_uj, high_uj = row[8:12]
    is_learned = energy_uj > 0 and time_uj > 0 and high_uj > low_uj > 0
    if not is_learned or cpu_hours < _LEAST_CPU_HOURS or container in _MIXTURES:
        return None
    if kind == "system":  # all systemd units together, of which agents learn each by itself
        return None
    if kind != "workload":
        key = WorkloadKey(kind, kind)
    elif not owner_kind:
        key = WorkloadKey("container", container, namespace, container)
    else:
        key = WorkloadKey(owner_kind, owner_name, namespace, container)
    return LearnedRow(
        zone_kind=_ZONE_OF_COMPONENT[component],
        key=key,
        node=node,
        instance_type=instance_type,
        log_ratio=log(energy_uj / time_uj),
        deviation=log(high_uj / low_uj) / (2 * BAND_DEVIATIONS),
        cpu_hours=cpu_hours,
    )


def _connected(store: Store, start_s: int, end_s: int) -> duckdb.DuckDBPyConnection:
    """A database in memory in which ``entries`` are those of the hours in [start_s, end_s).

    Files of earlier versions lack columns; their entries have NULL there, and were not learned.
    """
    files = store.files(start_s, end_s)
    for path in files:
        store.check_file(path)
    try:
        schemas = [
            dataset.dataset(path, format="parquet", filesystem=store.filesystem).schema
            for path in files
        ]
    except (OSError, pa.ArrowException) as exc:
        raise LedgerFailed(f"{store.root}: cannot read the ledger: {exc}") from exc
    names = {name for schema in schemas for name in schema.names}
    if any(name not in names for name in _NEEDED):
        raise DataInvalid(_nothing(store))
    schema = pa.unify_schemas([schema.remove_metadata() for schema in schemas])
    database = duckdb.connect()
    whole = dataset.dataset(files, schema, format="parquet", filesystem=store.filesystem)
    database.register("every_entry", whole)
    first, end = (at_s * MICROSECONDS_PER_SECOND for at_s in (start_s, end_s))
    database.execute(
        "create view entries as select * from every_entry "  # noqa: S608 - whole numbers
        f"where epoch_us(hour) >= {first} and epoch_us(hour) < {end}"
    )
    return database


def _nothing(store: Store) -> str:
    return (
        f"{store.root}: no hour of this period was shared by learned weights; agents need "
        "`attribution.weight: learned` and a meter, and the ledger their hours"
    )
