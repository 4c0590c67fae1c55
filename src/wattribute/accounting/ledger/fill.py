"""Fills a ledger from a source, hour by hour: idempotent, resumable, in bounded memory."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import pyarrow as pa

from wattribute.accounting.ledger.balance import add_entries
from wattribute.accounting.ledger.entries import LedgerEntries
from wattribute.accounting.ledger.reading import HourReading, NodeAddress, Reader
from wattribute.accounting.ledger.seal import NodeKey, Sealed, new_seal_id
from wattribute.accounting.ledger.store import Store
from wattribute.core.errors import WattributeError
from wattribute.core.units import DAY_S, HOUR_S

_SEAL_ENTRIES: Final = 500_000
"""A seal is closed after the hour that passes this, or with the day."""


@dataclass(slots=True)
class Outcome:
    """What a run did."""

    entries: int = 0
    corrections: int = 0
    seals: list[str] = field(default_factory=list)
    node_hours: int = 0
    """Read."""
    skipped: int = 0
    """Node hours that were sealed and whole already."""
    gaps: list[tuple[str, int, int]] = field(default_factory=list)
    """Node, from, to (Unix milliseconds)."""
    forgotten: list[NodeKey] = field(default_factory=list)
    """Left as sealed, because less is known of them now."""
    problems: list[str] = field(default_factory=list)


class Fill:
    """One run over some hours."""

    def __init__(
        self,
        store: Store,
        collector: Reader,
        *,
        now_s: Callable[[], float],
        recheck: bool = False,
        progress: Callable[[int], None] = lambda _hour_s: None,
    ) -> None:
        """Set a run up.

        Args:
            store: the ledger.
            collector: the source.
            now_s: the clock that names seals.
            recheck: read again what is sealed and whole, too.
            progress: told of every hour that is done.
        """
        self._store = store
        self._collector = collector
        self._now_s = now_s
        self._recheck = recheck
        self._progress = progress
        self.outcome = Outcome()
        self._failed: WattributeError | None = None

    def run(self, start_s: int, end_s: int) -> Outcome:
        """Fill the hours in [start_s, end_s), both at full hours; what is sealed stays.

        Raises:
            SourceFailed: the source stopped answering; what was whole before is sealed.
            LedgerFailed: a seal could not be written; the ones before it are.
        """
        hours = iter(range(start_s, end_s, HOUR_S))
        hour_s = next(hours, None)
        while hour_s is not None and self._failed is None:
            seal_id = new_seal_id(self._now_s())
            seal = _Seal(hour_s)
            tables = self._tables(seal, hours, seal_id)
            first = next(tables, None)
            if first is not None:
                self._write(hour_s, seal_id, first, tables)
            hour_s = seal.next_hour_s
        if self._failed is not None:
            raise self._failed
        return self.outcome

    def _write(self, day_s: int, seal_id: str, first: pa.Table, rest: Iterator[pa.Table]) -> None:
        def all_of_it() -> Iterator[pa.Table]:
            yield first
            yield from rest

        self._store.write(day_s, seal_id, all_of_it())
        self.outcome.seals.append(seal_id)

    def _tables(self, seal: "_Seal", hours: Iterator[int], seal_id: str) -> Iterator[pa.Table]:
        """The tables of one seal: hours of one day, until it is large enough."""
        day_end_s = seal.hour_s - seal.hour_s % DAY_S + DAY_S
        entries = 0
        hour_s: int | None = seal.hour_s
        try:
            while hour_s is not None and hour_s < day_end_s and entries < _SEAL_ENTRIES:
                for table in self._hour(hour_s, seal_id):
                    if table.num_rows:
                        entries += table.num_rows
                        yield table
                self._progress(hour_s)
                hour_s = next(hours, None)
        except WattributeError as exc:  # what is whole is sealed first
            self._failed = exc
        seal.next_hour_s = hour_s

    def _hour(self, hour_s: int, seal_id: str) -> Iterator[pa.Table]:
        sealed = Sealed(self._store, hour_s, hour_s + HOUR_S)
        nodes = self._collector.nodes(hour_s)
        unsealed = [
            node for node in nodes if self._recheck or not self._whole(sealed, node, hour_s)
        ]
        self.outcome.skipped += len(nodes) - len(unsealed)
        for part in self._collector.read(hour_s, unsealed):
            yield self._settled(part, sealed, seal_id)

    def _whole(self, sealed: Sealed, node: NodeAddress, hour_s: int) -> bool:
        return sealed.covered_s((hour_s, node.cluster, node.node)) >= HOUR_S

    def _settled(self, part: Sequence[HourReading], sealed: Sealed, seal_id: str) -> pa.Table:
        entries = LedgerEntries()
        outcome = self.outcome
        for reading in part:
            node = reading.hour.node
            problems = [*reading.problems, *add_entries(reading.hour, entries)]
            outcome.node_hours += 1
            outcome.gaps += [(node, *gap) for gap in reading.gaps]
            outcome.problems += [f"{node}: {text}" for text in problems]
        table, forgotten = sealed.settle(entries.table(seal_id), seal_id)
        outcome.forgotten += forgotten
        corrections = sum(1 for value in table.column("corrects").to_pylist() if value)
        outcome.corrections += corrections
        outcome.entries += table.num_rows - corrections
        return table


def default_start(store: Store, end_s: int) -> int:
    """Where a run begins that is not told: at the last sealed hour, and at least a day back."""
    _, sealed_s = store.days()
    day_back_s = end_s - DAY_S
    return min(sealed_s - DAY_S, day_back_s) if sealed_s else day_back_s


@dataclass(slots=True)
class _Seal:
    hour_s: int
    next_hour_s: int | None = None
