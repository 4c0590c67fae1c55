"""Which rows of a table are shown, and their label texts, kept from snapshot to snapshot."""

from collections.abc import Callable, Hashable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from wattribute.core.records import Consumer, ContainerTable, Snapshot
from wattribute.node.exporter.labels import text_of


class SeriesRows:
    """Rows of a table with the label text of each; equal ``key`` means equal texts."""

    __slots__ = ("key", "labels", "rows")

    def __init__(self, key: Hashable, rows: NDArray[np.int64], labels: Sequence[str]) -> None:
        """``rows`` index the table; ``labels`` has one text per row."""
        self.key = key
        self.rows = rows
        self.labels = labels


def last_of_each(labels: Iterable[str]) -> SeriesRows:
    """Rows of a small table; of two with the same text the later one."""
    row_of = {text: row for row, text in enumerate(labels)}
    texts = tuple(row_of)
    return SeriesRows(texts, np.array(list(row_of.values()), np.int64), texts)


Style = Callable[[Consumer, bool], str]
"""The label text of a consumer that is alive, or not."""


class ContainerLabels:
    """Label texts of container rows, one cache per style, keyed by Consumer.uid.

    Where two rows have the same text, the newer one is shown: a lingering row whose
    container came back under the same id. The series goes from the old total to the
    new row's 0, which Prometheus reads as a restart of the counter, exactly; the sum
    of both would fall later, when the old row's linger is over, and be counted twice.
    """

    def __init__(self) -> None:
        """Nothing known yet."""
        self._cached: dict[Style, tuple[bytes, SeriesRows]] = {}
        self._texts: dict[Style, dict[tuple[int, bool], str]] = {}
        self._version = 0

    def series_of(self, table: ContainerTable, style: Style, kinds: frozenset[str]) -> SeriesRows:
        """The rows of these kinds, in this style."""
        uids = np.array([consumer.uid for consumer in table.consumers], np.int64)
        state = uids.tobytes() + table.alive.tobytes()
        cached = self._cached.get(style)
        if cached is not None and cached[0] == state:
            return cached[1]
        earlier = self._texts.get(style, {})
        texts: dict[tuple[int, bool], str] = {}
        row_of: dict[str, int] = {}
        for row, (consumer, alive) in enumerate(
            zip(table.consumers, table.alive.tolist(), strict=True)
        ):
            if consumer.kind not in kinds:
                continue
            identity = (consumer.uid, alive)
            text = earlier.get(identity)
            if text is None:
                text = style(consumer, alive)
            texts[identity] = text
            row_before = row_of.get(text)
            if row_before is None or table.consumers[row_before].uid < consumer.uid:
                row_of[text] = row
        self._texts[style] = texts
        self._version += 1
        series = SeriesRows(self._version, np.array(list(row_of.values()), np.int64), list(row_of))
        self._cached[style] = (state, series)
        return series


ProcessStyle = Callable[[str, str, Consumer, str, bool], str]
"""The label text of a process: pid, command, its container, its VM's id, alive."""


class ProcessLabels:
    """Label texts of process rows; a process that stays is formatted once."""

    def __init__(self) -> None:
        """Nothing known yet."""
        self._cached: dict[ProcessStyle, tuple[bytes, SeriesRows]] = {}
        self._texts: dict[ProcessStyle, dict[tuple[int, bytes, int, int, bool], str]] = {}
        self._version = 0

    def series_of(self, snapshot: Snapshot, style: ProcessStyle) -> SeriesRows:
        """All processes; of two with the same text (a pid used again) the newer one."""
        table = snapshot.processes
        consumers = snapshot.containers.consumers
        uids = np.array([consumer.uid for consumer in consumers], np.int64)
        owners = uids[table.consumer]
        columns = (table.key, table.comm, owners, table.vm, table.alive)
        state = b"".join([column.tobytes() for column in columns])
        cached = self._cached.get(style)
        if cached is not None and cached[0] == state:
            return cached[1]
        identities = list(zip(*(column.tolist() for column in columns), strict=True))
        earlier = self._texts.get(style, {})
        texts: dict[tuple[int, bytes, int, int, bool], str] = {}
        pids, rows_of_consumer = table.pid.tolist(), table.consumer.tolist()
        for row, identity in enumerate(identities):
            text = earlier.get(identity)
            if text is None:
                _, comm, _, vm, alive = identity
                text = style(
                    str(pids[row]),
                    text_of(comm),
                    consumers[rows_of_consumer[row]],
                    snapshot.vms.ids[vm] if vm >= 0 else "",
                    alive,
                )
            texts[identity] = text
        self._texts[style] = texts
        self._version += 1
        labels = [texts[identity] for identity in identities]
        rows = _newest(labels, table.key)
        series = SeriesRows(self._version, rows, [labels[row] for row in rows.tolist()])
        self._cached[style] = (state, series)
        return series


def _newest(labels: Sequence[str], key: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Rows in ascending order, of equal labels the one with the greatest key (latest start)."""
    if len(set(labels)) == len(labels):
        return np.arange(len(labels))
    row_of: dict[str, int] = {}
    for row in np.argsort(key, kind="stable").tolist():
        row_of[labels[row]] = row
    return np.array(sorted(row_of.values()), np.int64)
