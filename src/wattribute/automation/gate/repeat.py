"""Run a command again and again, and keep the figures of each run."""

import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from wattribute.automation.gate.key import comparability_key
from wattribute.automation.gate.metrics import component_joules, figures_of
from wattribute.automation.gate.series import Series
from wattribute.core.errors import ConfigInvalid, DataInvalid
from wattribute.node.measuring import Measurement, run_command
from wattribute.node.measuring.result import worst
from wattribute.node.settings import NodeSettings

Progress = Callable[[str], None]
"""Told before each run what comes now."""


@dataclass(frozen=True, slots=True)
class Work:
    """What is run, and how it is counted."""

    name: str
    command: tuple[str, ...]
    settings: NodeSettings
    folder: Path | None = None
    """Where it runs; None: here."""
    g_per_kwh: float | None = None
    units: float | None = None
    """Units of work in a run, for ``energy_per_unit``."""
    units_file: Path | None = None
    """File that the command writes that number into, for each run anew."""
    location: str = ""


def repeat(work: Work, runs: int, warmup: int, progress: Progress) -> Series:
    """Run the command ``warmup`` times unmeasured, then ``runs`` times.

    Raises:
        DataInvalid: it failed; a run that did not do its work says nothing of its energy.
        OSError: it cannot be started.
        MeterError: a meter that the settings name cannot be used.
    """
    for number in range(warmup):
        progress(f"warm-up {number + 1} of {warmup}")
        run_once(work, f"warm-up {number + 1}")
    measured = []
    for number in range(runs):
        progress(f"run {number + 1} of {runs}")
        measured.append(run_once(work, f"run {number + 1}"))
    return series_of(work, measured)


def run_in_turn(
    base: Work, new: Work, runs: int, warmup: int, progress: Progress
) -> tuple[Series, Series]:
    """Run two commands in turn: base new, new base, base new, ...

    Who goes first changes, so that a steady drift favours neither.

    Raises:
        DataInvalid, OSError, MeterError: as ``repeat``.
    """
    for number in range(warmup):
        for work in (base, new):
            progress(f"warm-up {number + 1} of {warmup}: {work.name}")
            run_once(work, f"warm-up {number + 1} of {work.name}")
    sides: tuple[list[Timed], list[Timed]] = ([], [])
    for number in range(runs):
        order = ((base, sides[0]), (new, sides[1]))
        for work, found in order if number % 2 == 0 else reversed(order):
            progress(f"run {number + 1} of {runs}: {work.name}")
            found.append(run_once(work, f"run {number + 1} of {work.name}"))
    return series_of(base, sides[0]), series_of(new, sides[1])


@dataclass(frozen=True, slots=True)
class Timed:
    """One run."""

    measured: Measurement
    units: float | None


def run_once(work: Work, what: str) -> Timed:
    """Run the command once.

    Args:
        work: the command.
        what: which run this is, for the message.

    Raises:
        DataInvalid: it failed, or did not write its units.
        OSError: it cannot be started.
    """
    if work.units_file is not None:
        work.units_file.unlink(missing_ok=True)
    measured = run_command(work.command, work.settings, work.g_per_kwh, work.folder)
    if code := measured.exit_code:
        how = f"exit code {code}" if code > 0 else f"signal {-code}"
        raise DataInvalid(
            f"{what}: {work.command[0]} failed ({how}): what did not do its work cannot be compared"
        )
    return Timed(measured, work.units if work.units_file is None else _units(work.units_file, what))


def series_of(work: Work, runs: Sequence[Timed]) -> Series:
    """Put runs together; there is at least one."""
    measured = [run.measured for run in runs]
    parts = [component_joules(one) for one in measured]
    notes = {note: None for one in measured for note in one.notes}
    with_energy = [one for one in measured if one.by_component]
    return Series(
        name=work.name,
        command=work.command,
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        revision=revision(work.folder),
        origin=worst(*(one.origin for one in with_energy)) if with_energy else "",
        key=comparability_key(work.settings, measured),
        runs=tuple(figures_of(run.measured, run.units) for run in runs),
        components={
            name: sum(part.get(name, 0.0) for part in parts) / len(parts)
            for name in sorted({name for part in parts for name in part})
        },
        others_busy=round(median(one.others_busy for one in measured), 3),
        location=work.location,
        notes=tuple(notes),
    )


def revision(folder: Path | None) -> str:
    """The commit that is checked out; "" outside a repository, or without git."""
    try:
        said = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"],  # noqa: S607
            cwd=folder,
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return said.stdout.strip()


def _units(path: Path, what: str) -> float:
    try:
        units = float(path.read_text())
    except FileNotFoundError:
        raise DataInvalid(f"{what}: the command did not write {path} (--units-file)") from None
    except (OSError, ValueError) as exc:
        raise DataInvalid(f"{what}: {path} holds no number (--units-file): {exc}") from exc
    if not 0 < units < float("inf"):
        raise ConfigInvalid(f"{what}: {path} holds {units:g}; units of work are more than 0")
    return units
