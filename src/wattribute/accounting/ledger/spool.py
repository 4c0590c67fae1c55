"""Hours from agents' spools: folders of JSON lines, one for each hour and run of an agent."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec

from wattribute.accounting.ledger.agent_runs import added
from wattribute.accounting.ledger.reading import HourReading, NodeAddress
from wattribute.core.errors import DataInvalid
from wattribute.core.records import HOUR_SCHEMA, NodeHour
from wattribute.core.units import HOUR_S, MILLISECONDS_PER_SECOND

_AT_ONCE: Final = 50


class _Head(msgspec.Struct):
    """What must be known of a line to find it again."""

    schema: int
    hour_s: int
    node: str
    cluster: str
    nested: bool


class SpoolReader:
    """Reads folders of spools; whole lines only."""

    def __init__(self, folder: Path, *, cluster: str = "") -> None:
        """Index the lines by hour and node; nothing else is kept in memory.

        Raises:
            DataInvalid: the folder or a file cannot be read, or is of another schema.
        """
        self.problems: list[str] = []
        self._cluster = cluster
        self._places: dict[int, dict[tuple[str, str], list[tuple[Path, int]]]] = {}
        """By hour, then cluster and node: the file and byte where each line begins."""
        files = sorted(folder.rglob("*.jsonl"))
        if not files:
            raise DataInvalid(
                f"{folder}: no spool (files like 2026-10-01.jsonl); "
                "it is what `wattribute agent --spool` writes"
            )
        for path in files:
            self._index(path)

    def _index(self, path: Path) -> None:
        try:
            with path.open("rb") as lines:
                place = 0
                for line in lines:
                    self._note(path, place, line)
                    place += len(line)
        except OSError as exc:
            raise DataInvalid(f"{path}: cannot read it: {exc.strerror}") from exc

    def _note(self, path: Path, place: int, line: bytes) -> None:
        try:
            head = msgspec.json.decode(line, type=_Head)
        except msgspec.DecodeError:
            if line.strip():
                self.problems.append(f"{path}: a line that is cut off was left out")
            return
        if head.schema != HOUR_SCHEMA:
            raise DataInvalid(
                f"{path}: lines of schema {head.schema}; this version reads {HOUR_SCHEMA}"
            )
        if not head.nested:
            key = (head.cluster or self._cluster, head.node)
            self._places.setdefault(head.hour_s, {}).setdefault(key, []).append((path, place))

    def hours(self) -> tuple[int, int]:
        """Return the start of the first hour and the end of the last; (0, 0): there is no line."""
        if not self._places:
            return 0, 0
        return min(self._places), max(self._places) + HOUR_S

    def nodes(self, hour_s: int) -> Sequence[NodeAddress]:
        """Return the nodes whose agents wrote in the hour."""
        return [NodeAddress(*key, ()) for key in sorted(self._places.get(hour_s, {}))]

    def read(self, hour_s: int, nodes: Sequence[NodeAddress]) -> Iterator[Sequence[HourReading]]:
        """Yield the hour, some nodes at a time.

        Raises:
            DataInvalid: a line has not what the schema says.
        """
        for start in range(0, len(nodes), _AT_ONCE):
            yield [self._hour(hour_s, node) for node in nodes[start : start + _AT_ONCE]]

    def _hour(self, hour_s: int, node: NodeAddress) -> HourReading:
        hour = added(list(_lines(self._places[hour_s][node.cluster, node.node])))
        hour.cluster = node.cluster
        missing_s = round(HOUR_S - hour.covered_s)
        if missing_s <= 1:
            return HourReading(hour, ())
        # Lines do not say which part of the hour is missing.
        return HourReading(
            hour,
            ((hour_s * MILLISECONDS_PER_SECOND, (hour_s + missing_s) * MILLISECONDS_PER_SECOND),),
        )


def _lines(places: Iterable[tuple[Path, int]]) -> Iterator[NodeHour]:
    for path, place in places:
        with path.open("rb") as file:
            file.seek(place)
            try:
                yield msgspec.json.decode(file.readline(), type=NodeHour)
            except msgspec.DecodeError as exc:
                raise DataInvalid(f"{path}: a line at byte {place} is no hour: {exc}") from exc
