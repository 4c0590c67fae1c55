"""The baseline file keeps, for each command and kind of machine, the runs to compare with.

Commit it: it is sorted text, with one entry for each name and key.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from wattribute.automation.gate.key import differences
from wattribute.automation.gate.series import RunSeries, read_series, write_series

_MADE_BY = "wattribute gate baseline update"


def read_baseline(path: Path) -> tuple[RunSeries, ...]:
    """Return the entries of a baseline file.

    Raises:
        DataInvalid: The file does not exist, or is not a baseline.
    """
    return read_series(path, made_by=_MADE_BY)


def update(path: Path, fresh: Iterable[RunSeries]) -> tuple[RunSeries, ...]:
    """Store fresh runs, each in place of the entry with the same name and key.

    Returns:
        The entries that were replaced.

    Raises:
        ConfigInvalid: The file cannot be written.
        DataInvalid: The file exists and is not a baseline.
    """
    old = read_baseline(path) if path.exists() else ()
    entries = {_id(entry): entry for entry in old}
    added = {_id(entry): entry for entry in fresh}
    write_series(path, (entries | added).values())
    return tuple(entries[key] for key in added if key in entries)


def prune(
    path: Path, *, name: str | None, older_than: timedelta | None, now: datetime
) -> tuple[RunSeries, ...]:
    """Remove entries, and return them.

    Args:
        path: The baseline file.
        name: Only entries of this name; None takes entries of every name.
        older_than: Only entries older than this; None takes entries of any age.
        now: The present, with a time zone.

    Raises:
        ConfigInvalid: The file cannot be written.
        DataInvalid: The file does not exist, or is not a baseline.
    """
    entries = read_baseline(path)
    dropped = tuple(
        entry
        for entry in entries
        if (name is None or entry.name == name)
        and (older_than is None or now - _time(entry) > older_than)
    )
    write_series(path, [entry for entry in entries if entry not in dropped])
    return dropped


def find(
    entries: Sequence[RunSeries], fresh: RunSeries, *, made_by: str
) -> tuple[RunSeries | None, str]:
    """Find the entry to compare fresh runs with.

    Args:
        entries: The baseline.
        fresh: The runs.
        made_by: The command that stores a baseline, for the message.

    Returns:
        The entry and "", or None and the reason why no entry fits.
    """
    same_name = [entry for entry in entries if entry.name == fresh.name]
    for entry in same_name:
        if entry.key == fresh.key:
            return entry, ""
    if not same_name:
        return None, f"no baseline for {fresh.name!r}; {made_by} stores one"
    nearest = min((differences(fresh.key, entry.key) for entry in same_name), key=len)
    return None, "the baseline comes from another kind of machine or meter: " + "; ".join(nearest)


def _id(series: RunSeries) -> tuple[str, tuple[tuple[str, str], ...]]:
    return series.name, tuple(sorted(series.key.items()))


def _time(series: RunSeries) -> datetime:
    at = datetime.fromisoformat(series.at)
    return at if at.tzinfo else at.replace(tzinfo=UTC)
