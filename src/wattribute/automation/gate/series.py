"""Runs of one command, and the file in which ``gate run`` and ``gate query`` leave them."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

import msgspec

from wattribute.core.errors import ConfigInvalid, DataInvalid
from wattribute.core.files import write_whole

SCHEMA: Final = 1
RESULTS: Final = Path(".energy-results.json")
"""Where runs go, unless told otherwise."""


class Series(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Runs of one command, all on one machine, one after the other."""

    name: str
    """What baselines are found by."""
    command: tuple[str, ...] = ()
    """Empty: it was asked of Prometheus, or is a test."""
    at: str
    """When the last run ended: ISO 8601, UTC."""
    revision: str = ""
    """Commit of the working tree, where there was one."""
    origin: str
    """The least certain of its energy: ``measured``, ``integrated`` or ``estimated``; "" without
    energy."""
    key: Mapping[str, str]
    """What must be the same for two series to be comparable."""
    runs: tuple[Mapping[str, float], ...]
    """Of each run, its figures by metric."""
    components: Mapping[str, float] = {}
    """Mean energy by component, in joules."""
    others_busy: float = 0.0
    """Part of the machine's CPU time that others had: the median run's, 0 to 1."""
    location: str = ""
    """``file:line`` that annotations point at; "": the baseline file."""
    notes: tuple[str, ...] = ()

    def values(self, metric: str) -> tuple[float, ...]:
        """The metric of each run; empty if not every run has it."""
        found = tuple(run[metric] for run in self.runs if metric in run)
        return found if len(found) == len(self.runs) else ()


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    schema: int
    series: tuple[Series, ...]


def read_series(path: Path, *, made_by: str) -> tuple[Series, ...]:
    """Read a file of series.

    Args:
        path: the file.
        made_by: the command that writes it, for the message.

    Raises:
        DataInvalid: it is not there, or not such a file.
    """
    try:
        file = msgspec.json.decode(path.read_bytes(), type=_File)
    except FileNotFoundError:
        raise DataInvalid(f"{path}: no such file; `{made_by}` writes it") from None
    except OSError as exc:
        raise DataInvalid(f"{path}: cannot be read: {exc.strerror}") from exc
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise DataInvalid(f"{path}: not a file of runs: {exc}; `{made_by}` writes one") from exc
    if file.schema != SCHEMA:
        raise DataInvalid(f"{path}: schema {file.schema}, known is {SCHEMA}: measure again")
    return file.series


def write_series(path: Path, series: Iterable[Series]) -> None:
    """Write a file of series, in order of name and key, so that its history shows what changed.

    Raises:
        ConfigInvalid: it cannot be written.
    """
    ordered = sorted(series, key=lambda one: (one.name, sorted(one.key.items())))
    body = msgspec.json.encode(_File(schema=SCHEMA, series=tuple(ordered)), order="sorted")
    try:
        write_whole(path, msgspec.json.format(body, indent=1) + b"\n")
    except OSError as exc:
        raise ConfigInvalid(f"{path}: cannot be written: {exc.strerror}") from exc


def with_series(path: Path, fresh: Series) -> None:
    """Add a series to the file, in place of that of its name.

    Raises:
        ConfigInvalid: it cannot be written.
        DataInvalid: what is there is not a file of runs.
    """
    old = read_series(path, made_by="wattribute gate run") if path.exists() else ()
    write_series(path, [*(one for one in old if one.name != fresh.name), fresh])
