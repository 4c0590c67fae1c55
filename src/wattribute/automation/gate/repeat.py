"""Run a command repeatedly, and keep the figures of each run."""

import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from wattribute.automation.gate.key import comparability_key
from wattribute.automation.gate.metrics import component_joules, figures_of
from wattribute.automation.gate.series import RunSeries
from wattribute.core.errors import ConfigInvalid, DataInvalid
from wattribute.node.measuring import Measurement, run_command
from wattribute.node.measuring.result import worst
from wattribute.node.settings import NodeSettings

Progress = Callable[[str], None]
"""Called before each run with a line that says what comes now."""


@dataclass(frozen=True, slots=True)
class Work:
    """A command, where it runs, and how its work is counted."""

    name: str
    command: tuple[str, ...]
    settings: NodeSettings
    folder: Path | None = None
    """Working directory of the command; None uses the current one."""
    g_per_kwh: float | None = None
    units: float | None = None
    """Units of work of each run, for ``energy_per_unit``."""
    units_file: Path | None = None
    """File into which each run of the command writes its units of work."""
    location: str = ""


def repeat(work: Work, runs: int, warmup: int, progress: Progress) -> RunSeries:
    """Run the command ``warmup`` times unmeasured, then ``runs`` times.

    Raises:
        DataInvalid: The command failed, so its energy is not that of the work.
        OSError: The command cannot be started.
        MeterError: A meter that the settings name cannot be used.
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
) -> tuple[RunSeries, RunSeries]:
    """Run two commands alternately: base new, new base, base new, ...

    The order changes with each pair, so that a steady drift favours neither.

    Raises:
        DataInvalid, OSError, MeterError: As in ``repeat``.
    """
    for number in range(warmup):
        for work in (base, new):
            progress(f"warm-up {number + 1} of {warmup}: {work.name}")
            run_once(work, f"warm-up {number + 1} of {work.name}")
    sides: tuple[list[Timed], list[Timed]] = ([], [])
    for number in range(runs):
        order = ((base, sides[0]), (new, sides[1]))
        for work, results in order if number % 2 == 0 else reversed(order):
            progress(f"run {number + 1} of {runs}: {work.name}")
            results.append(run_once(work, f"run {number + 1} of {work.name}"))
    return series_of(base, sides[0]), series_of(new, sides[1])


@dataclass(frozen=True, slots=True)
class Timed:
    """One run, with its units of work."""

    measured: Measurement
    units: float | None


def run_once(work: Work, run_name: str) -> Timed:
    """Run the command once.

    Args:
        work: The command.
        run_name: Which run this is, for the message.

    Raises:
        DataInvalid: The command failed, or did not write its units.
        OSError: The command cannot be started.
    """
    if work.units_file is not None:
        work.units_file.unlink(missing_ok=True)
    measured = run_command(work.command, work.settings, work.g_per_kwh, work.folder)
    if code := measured.exit_code:
        how = f"exit code {code}" if code > 0 else f"signal {-code}"
        raise DataInvalid(
            f"{run_name}: {work.command[0]} failed ({how}); "
            "a run that did not do its work cannot be compared"
        )
    return Timed(
        measured, work.units if work.units_file is None else _units(work.units_file, run_name)
    )


def series_of(work: Work, runs: Sequence[Timed]) -> RunSeries:
    """Combine one run or more into a series."""
    measured = [run.measured for run in runs]
    parts = [component_joules(run) for run in measured]
    notes = {note: None for run in measured for note in run.notes}
    with_energy = [run for run in measured if run.by_component]
    return RunSeries(
        name=work.name,
        command=work.command,
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        revision=revision(work.folder),
        origin=worst(*(run.origin for run in with_energy)) if with_energy else "",
        key=comparability_key(work.settings, measured),
        runs=tuple(figures_of(run.measured, run.units) for run in runs),
        components={
            name: sum(part.get(name, 0.0) for part in parts) / len(parts)
            for name in sorted({name for part in parts for name in part})
        },
        others_busy=round(median(run.others_busy for run in measured), 3),
        location=work.location,
        notes=tuple(notes),
    )


def revision(folder: Path | None) -> str:
    """Return the commit that is checked out; "" outside a repository, or without git."""
    try:
        result = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"],  # noqa: S607
            cwd=folder,
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return result.stdout.strip()


def _units(path: Path, run_name: str) -> float:
    try:
        units = float(path.read_text())
    except FileNotFoundError:
        raise DataInvalid(f"{run_name}: the command did not write {path} (--units-file)") from None
    except (OSError, ValueError) as exc:
        raise DataInvalid(f"{run_name}: {path} is not a number (--units-file): {exc}") from exc
    if not 0 < units < float("inf"):
        raise ConfigInvalid(
            f"{run_name}: {path} holds {units:g}; units of work must be greater than 0"
        )
    return units
