"""Seals entries: what is new is written, what has changed is corrected, nothing is overwritten."""

import os
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from wattribute.accounting.ledger.schema import AMOUNTS, KEY, SCHEMA
from wattribute.accounting.ledger.store import Store
from wattribute.core.units import MICROSECONDS_PER_SECOND

NodeKey = tuple[int, str, str]
"""Hour (start, Unix seconds), cluster, node."""
_SUMS: Final = (*AMOUNTS, "covered_s")


def new_seal_id(now_s: float) -> str:
    """Return an id that sorts by time; two collectors never draw the same."""
    return f"{datetime.fromtimestamp(now_s, UTC):%Y%m%dT%H%M%SZ}-{os.urandom(4).hex()}"


class Sealed:
    """What the ledger already says of some hours."""

    def __init__(self, store: Store, start_s: int, end_s: int) -> None:
        """Read the entries of the hours in [start_s, end_s).

        Raises:
            DataInvalid: a file of the ledger is damaged.
            LedgerFailed: the ledger cannot be read.
        """
        self._table = store.entries(start_s, end_s)
        self._covered: dict[NodeKey, int] = {}
        self._seals: dict[NodeKey, str] = {}
        idle = self._table.filter(
            (pc.field("kind") == "idle") & (pc.field("component") == "cpu")
        ).select(["hour", "cluster", "node", "covered_s", "seal_id", "corrects"])
        for row in _rows(idle):
            key = (row["hour"] // MICROSECONDS_PER_SECOND, row["cluster"], row["node"])
            self._covered[key] = self._covered.get(key, 0) + row["covered_s"]
            if not row["corrects"]:
                self._seals[key] = row["seal_id"]

    def covered_s(self, key: NodeKey) -> int:
        """Return how many seconds of a node's hour are sealed; 0: none."""
        return self._covered.get(key, 0)

    def settle(self, found: pa.Table, seal_id: str) -> tuple[pa.Table, list[NodeKey]]:
        """Return what is to be written of newly made entries.

        Args:
            found: entries of whole node hours, as first entries.
            seal_id: of the seal that is being made.

        Returns:
            The entries to write: those of hours that are not sealed yet, and corrections, which
            hold the difference. Node hours of which less is known now than when they were sealed
            (the source has forgotten) are left as they are, and named.
        """
        keys = {_node_key(row) for row in _rows(found.select(["hour", "cluster", "node"]))}
        old = {key for key in keys if key in self._seals}
        if not old:
            return found, []
        fresh = [
            _node_key(row) not in old for row in _rows(found.select(["hour", "cluster", "node"]))
        ]
        first = found.filter(pa.array(fresh))
        again = found.filter(pc.invert(pa.array(fresh)))
        known = {_node_key(row): row["covered_s"] for row in _rows(again.select(
            ["hour", "cluster", "node", "covered_s"]))}  # fmt: skip
        forgotten = sorted(key for key, covered in known.items() if covered < self._covered[key])
        corrections = self._corrections(again, set(known) - set(forgotten), seal_id)
        return pa.concat_tables([first, corrections]), forgotten

    def _corrections(self, again: pa.Table, whose: set[NodeKey], seal_id: str) -> pa.Table:
        before = _summed(row for row in _rows(self._table) if _node_key(row) in whose)
        now = _summed(row for row in _rows(again) if _node_key(row) in whose)
        rows: list[dict[str, Any]] = []
        for key in before.keys() | now.keys():
            was, is_now = before.get(key), now.get(key)
            row = dict(is_now or was or {})
            for name in _SUMS:
                row[name] = (is_now[name] if is_now else 0) - (was[name] if was else 0)
            if is_now is None:  # the hour's cover is the other entries' matter
                row["covered_s"] = 0
            if any(row[name] for name in _SUMS if name != "covered_s") or (
                row["covered_s"] and row["kind"] == "idle"
            ):
                row["seal_id"], row["corrects"] = seal_id, self._seals[_node_key(row)]
                rows.append(row)
        rows.sort(key=lambda row: tuple(row[name] for name in KEY))
        columns = [pa.array([row[f.name] for row in rows], f.type) for f in SCHEMA]
        return pa.Table.from_arrays(columns, schema=SCHEMA)


def _node_key(row: Mapping[str, Any]) -> NodeKey:
    return (row["hour"] // MICROSECONDS_PER_SECOND, row["cluster"], row["node"])


def _rows(table: pa.Table) -> Iterable[dict[str, Any]]:
    """Return rows with ``hour`` in microseconds since 1970, and maps as lists of pairs."""
    place = table.schema.get_field_index("hour")
    plain = table.set_column(place, "hour", table.column("hour").cast(pa.int64()))
    for batch in plain.to_batches(max_chunksize=50_000):
        yield from batch.to_pylist()


def _summed(rows: Iterable[dict[str, Any]]) -> dict[tuple[Any, ...], dict[str, Any]]:
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in rows:
        key = tuple(row[name] for name in KEY)
        if (other := found.get(key)) is None:
            found[key] = dict(row)
        else:
            for name in _SUMS:
                other[name] += row[name]
    return found
