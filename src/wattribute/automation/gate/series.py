"""Runs of one command, and the file into which ``gate run`` and ``gate query`` write them."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

import msgspec

from wattribute.core.errors import ConfigInvalid, DataInvalid
from wattribute.core.files import write_whole

SCHEMA: Final = 1
RESULTS: Final = Path(".energy-results.json")
"""The default file for runs."""


class RunSeries(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Runs of one command, one after the other on one machine."""

    name: str
    """The name by which a baseline is found."""
    command: tuple[str, ...] = ()
    """Empty for a query of Prometheus, and for a test."""
    at: str
    """When the last run ended, in ISO 8601 and UTC."""
    revision: str = ""
    """Commit of the working tree; "" without one."""
    origin: str
    """The least certain origin of the energy: ``measured``, ``integrated`` or ``estimated``; ""
    without energy."""
    key: Mapping[str, str]
    """What must be the same for two series to be comparable."""
    runs: tuple[Mapping[str, float], ...]
    """The figures of each run, by metric."""
    components: Mapping[str, float] = {}
    """Mean energy by component, in joules."""
    others_busy: float = 0.0
    """Fraction of the machine's CPU time that other processes used, 0 to 1; of the median run."""
    location: str = ""
    """``file:line`` that annotations point at; "" points at the baseline file."""
    notes: tuple[str, ...] = ()

    def values(self, metric: str) -> tuple[float, ...]:
        """Return the metric of each run; empty if a run lacks it."""
        values = tuple(run[metric] for run in self.runs if metric in run)
        return values if len(values) == len(self.runs) else ()


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    schema: int
    series: tuple[RunSeries, ...]


def read_series(path: Path, *, made_by: str) -> tuple[RunSeries, ...]:
    """Read a file of series.

    Args:
        path: The file.
        made_by: The command that writes such a file, for the message.

    Raises:
        DataInvalid: The file does not exist, or is not a file of series.
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
        raise DataInvalid(
            f"{path}: has schema {file.schema}, and this version reads {SCHEMA}; measure again"
        )
    return file.series


def write_series(path: Path, series: Iterable[RunSeries]) -> None:
    """Write a file of series, sorted by name and key so that its history shows what changed.

    Raises:
        ConfigInvalid: The file cannot be written.
    """
    ordered = sorted(series, key=lambda entry: (entry.name, sorted(entry.key.items())))
    body = msgspec.json.encode(_File(schema=SCHEMA, series=tuple(ordered)), order="sorted")
    try:
        write_whole(path, msgspec.json.format(body, indent=1) + b"\n")
    except OSError as exc:
        raise ConfigInvalid(f"{path}: cannot be written: {exc.strerror}") from exc


def with_series(path: Path, fresh: RunSeries) -> None:
    """Add a series to the file; it replaces the one with its name.

    Raises:
        ConfigInvalid: The file cannot be written.
        DataInvalid: The file exists and is not a file of series.
    """
    old = read_series(path, made_by="wattribute gate run") if path.exists() else ()
    write_series(path, [*(entry for entry in old if entry.name != fresh.name), fresh])
