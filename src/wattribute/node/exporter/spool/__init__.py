"""The spool: each hour's totals as one line of JSON, for a ledger without Prometheus.

A folder with a file per day (UTC), ``2026-10-01.jsonl``, and ``open.json``, the hour that is not
over: it is written again every minute, so that an agent that is killed loses no more than that.
`wattribute ledger collect --spool` reads it. A line is a NodeHour of core/records: what rose since
the line before.
"""

from pathlib import Path
from typing import Final

from wattribute.core.records import Snapshot
from wattribute.core.units import HOUR_S, NANOSECONDS_PER_SECOND
from wattribute.node.exporter.scene import NodeLabels
from wattribute.node.exporter.spool.baseline import Baseline
from wattribute.node.exporter.spool.folder import SpoolFolder
from wattribute.node.exporter.spool.running import RunningHour

_HOUR_NS: Final = HOUR_S * NANOSECONDS_PER_SECOND
_MINUTE_NS: Final = 60 * NANOSECONDS_PER_SECOND
_GAP_NS: Final = 300 * NANOSECONDS_PER_SECOND
"""Ticks further apart are a gap, as in the ledger."""


class Spool:
    """Writes the lines of one agent; ``observe`` is called after every tick."""

    def __init__(
        self,
        folder: Path,
        node: NodeLabels,
        pod_labels: tuple[str, ...],
        *,
        max_bytes: int,
        resumed: bool,
    ) -> None:
        """Open the folder, and close the hour that another run has left open there.

        Args:
            folder: where the files are.
            node: what the node is called.
            pod_labels: the allow-list of pods' labels.
            max_bytes: the largest size of the folder.
            resumed: the totals go on from the state file, so what rose before is not new.

        Raises:
            OSError: the folder cannot be made, or not be written.
        """
        self._folder = SpoolFolder(folder, max_bytes)
        self._node = node
        self._pod_labels = pod_labels
        self._resumed = resumed
        self._running: RunningHour | None = None
        self._last: Snapshot | None = None
        self._noted_ns = 0
        self._baseline = Baseline()
        totals = self._folder.close_open_hour()
        if totals is not None and resumed:
            self._baseline.take_node(totals)

    def observe(self, snapshot: Snapshot) -> None:
        """Add what the monitor has published."""
        hour_s = snapshot.wall_ns // _HOUR_NS * HOUR_S
        last, running = self._last, self._running
        if running is None or last is None:
            self._baseline.begin(snapshot, resumed=self._resumed)
            self._begin(hour_s, snapshot)
        elif hour_s > running.hour_s:
            ended_ns = (running.hour_s + HOUR_S) * NANOSECONDS_PER_SECOND
            _spend(running, last, last.wall_ns, ended_ns)
            self._close(last)
            self._begin(hour_s, snapshot)
        else:
            _spend(running, snapshot, last.wall_ns, snapshot.wall_ns)
        if self._running is not None and last is not None:
            self._running.bury(last, snapshot)
        self._last = snapshot
        if self._folder.waits or snapshot.wall_ns - self._noted_ns >= _MINUTE_NS:
            self._note(snapshot)

    def close(self) -> None:
        """Write what this run of the agent saw of the hour as a line: the agent stops."""
        if self._last is not None:
            self._close(self._last)
            self._folder.remove_note()

    def _begin(self, hour_s: int, snapshot: Snapshot) -> None:
        before = self._running
        self._running = running = RunningHour(
            hour_s, str(snapshot.wall_ns), self._baseline, self._node, self._pod_labels
        )
        if before is not None:
            self._noted_ns = 0  # the note is of the last hour until it is written anew
            start_ns = max(hour_s * NANOSECONDS_PER_SECOND, snapshot.wall_ns - _GAP_NS)
            _spend(running, snapshot, start_ns, snapshot.wall_ns)

    def _close(self, snapshot: Snapshot) -> None:
        """Write the hour's line; the next hour begins from this snapshot's totals."""
        if self._running is not None:
            self._folder.append(self._running.line(snapshot))
            self._baseline.take(snapshot)

    def _note(self, snapshot: Snapshot) -> None:
        """Write the open hour, for a run that comes after a kill."""
        if self._running is not None and self._folder.flush():
            self._noted_ns = snapshot.wall_ns
            self._folder.note(self._running.line(snapshot), snapshot.node)


def _spend(running: RunningHour, snapshot: Snapshot, start_ns: int, end_ns: int) -> None:
    """Add what is a matter of time over [start, end), unless that is a gap."""
    if 0 < end_ns - start_ns <= _GAP_NS:
        running.spend(snapshot, (end_ns - start_ns) / NANOSECONDS_PER_SECOND)
