"""The baseline file: for each command and kind of machine, the runs that are compared with.

It is meant to be committed: text, sorted, one entry for each name and key.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from wattribute.automation.gate.key import differences
from wattribute.automation.gate.series import Series, read_series, write_series

_MADE_BY = "wattribute gate baseline update"


def read_baseline(path: Path) -> tuple[Series, ...]:
    """Its entries.

    Raises:
        DataInvalid: it is not there, or not a baseline.
    """
    return read_series(path, made_by=_MADE_BY)


def update(path: Path, fresh: Iterable[Series]) -> tuple[Series, ...]:
    """Take fresh runs in, each in place of what had its name and key; what was replaced.

    Raises:
        ConfigInvalid: the file cannot be written.
        DataInvalid: what is there is not a baseline.
    """
    old = read_baseline(path) if path.exists() else ()
    entries = {_id(one): one for one in old}
    added = {_id(one): one for one in fresh}
    write_series(path, (entries | added).values())
    return tuple(entries[key] for key in added if key in entries)


def prune(
    path: Path, *, name: str | None, older_than: timedelta | None, now: datetime
) -> tuple[Series, ...]:
    """Drop entries of that name (if given) that are older (if given); what was dropped.

    Raises:
        ConfigInvalid: the file cannot be written.
        DataInvalid: it is not there, or not a baseline.
    """
    entries = read_baseline(path)
    dropped = tuple(
        one
        for one in entries
        if (name is None or one.name == name)
        and (older_than is None or now - _time(one) > older_than)
    )
    write_series(path, [one for one in entries if one not in dropped])
    return dropped


def find(entries: Sequence[Series], fresh: Series, *, made_by: str) -> tuple[Series | None, str]:
    """The entry to compare with; else why there is none.

    ``made_by``: what makes one, for the message.
    """
    named = [one for one in entries if one.name == fresh.name]
    for one in named:
        if one.key == fresh.key:
            return one, ""
    if not named:
        return None, f"no baseline of {fresh.name!r}; {made_by} makes one"
    nearest = min((differences(fresh.key, one.key) for one in named), key=len)
    return None, "made on another kind of machine or meter: " + "; ".join(nearest)


def _id(series: Series) -> tuple[str, tuple[tuple[str, str], ...]]:
    return series.name, tuple(sorted(series.key.items()))


def _time(series: Series) -> datetime:
    at = datetime.fromisoformat(series.at)
    return at if at.tzinfo else at.replace(tzinfo=UTC)
