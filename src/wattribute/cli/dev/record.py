"""``wattribute dev record``: who ran and what the meters counted -> a trace for the bench."""

import shlex
from collections.abc import Callable, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from wattribute.cli.number import Number
from wattribute.cli.options import MEASURING, OUT, with_settings
from wattribute.cli.waiting import PATIENCE_S, interruptible, progress
from wattribute.core.errors import ConfigInvalid
from wattribute.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wattribute.models.recording.repeated import RepeatedCommand
    from wattribute.models.recording.trace import TraceReader
    from wattribute.node.settings import NodeSettings


@click.command()
@OUT
@click.option(
    "--seconds",
    "phase_s",
    type=Number(min=1, max=604_800),
    default=600.0,
    show_default=True,
    help="Length of the recording; with --alone, of each of its phases.",
)
@click.option(
    "--alone",
    multiple=True,
    metavar="CMD",
    help="Run this command alone, then all such commands together. Repeat it for each command.",
)
@with_settings("--interval", *MEASURING)
def record(*, settings: Settings, out: Path, phase_s: float, alone: tuple[str, ...]) -> int:
    """Record who ran and what the meters counted, for the accuracy bench.

    Without --alone the command records whatever runs. With it, there are phases: nothing; each
    command alone, which tells what it really costs; all of them together. A command that ends is
    started again. Run this on bare metal without other work:

      wattribute dev record --out trace.csv --alone "stress-ng --cpu 2" --alone "./server --bench"

    Names of commands and cgroups are in the file; look at it before you send it to anybody.
    Ctrl-C ends the recording and keeps what was recorded. Exit code: 0; 5 without a meter.
    """
    _record(settings, out, phase_s, _commands(alone))
    click.echo(f"{out}: written")
    return 0


def _commands(texts: Sequence[str]) -> "list[RepeatedCommand]":
    from wattribute.models.recording.repeated import RepeatedCommand

    commands: list[RepeatedCommand] = []
    for text in texts:
        try:
            argv = shlex.split(text)
        except ValueError as exc:
            raise ConfigInvalid(f"--alone {text}: {exc}") from exc
        if not argv:
            raise ConfigInvalid("--alone: give a command")
        name = Path(argv[0]).name
        same = sum(command.name.partition("#")[0] == name for command in commands)
        commands.append(RepeatedCommand(f"{name}#{same + 1}" if same else name, argv))
    return commands


@dataclass(frozen=True, slots=True)
class _Phases:
    """What all phases of a recording have in common."""

    reader: "TraceReader"
    file: TextIO
    interval_s: float
    phase_s: float
    wait: Callable[[float], bool]

    def play(
        self, phase: str, commands: "Sequence[RepeatedCommand]", tell: Callable[[float], None]
    ) -> bool:
        """Record one phase; return whether the user ended it.

        Args:
            phase: its name, in the rows.
            commands: what runs in it.
            tell: takes the seconds since it began.
        """
        from wattribute.core.clock import SystemClock
        from wattribute.core.units import Nanoseconds, seconds
        from wattribute.models.recording.trace import write_rows

        clock = SystemClock()
        try:
            self._start(commands)
            self.reader.read(phase)  # what lies before this phase
            begin_ns = clock.monotonic_ns()
            elapsed_s = 0.0
            while elapsed_s < self.phase_s:
                tell(elapsed_s)
                ended = self.wait(min(self.interval_s, self.phase_s - elapsed_s))
                write_rows(self.file, self.reader.read(phase))
                if ended:
                    return True
                self._start(commands)
                elapsed_s = seconds(Nanoseconds(clock.monotonic_ns() - begin_ns))
        finally:
            for command in commands:
                command.end()
        return False

    def _start(self, commands: "Sequence[RepeatedCommand]") -> None:
        for command in commands:
            if (pid := command.start_if_ended()) is not None:
                self.reader.names[pid] = command.name


def _record(
    settings: Settings, out: Path, phase_s: float, commands: "Sequence[RepeatedCommand]"
) -> None:
    from wattribute.models.recording.trace import COLUMNS

    plan: list[tuple[str, Sequence[RepeatedCommand]]] = [("together", commands)]
    if commands:
        plan = [
            ("idle", ()),
            *((f"alone {command.name}", (command,)) for command in commands),
            *plan,
        ]
    with (
        _reader(settings.node) as reader,
        _opened(out) as file,
        interruptible() as wait,
        progress(phase_s * len(plan)) as tell,
    ):
        file.write(",".join(COLUMNS) + "\n")
        phases = _Phases(reader, file, settings.node.monitor.interval, phase_s, wait)
        for number, (phase, running) in enumerate(plan):
            if phases.play(phase, running, _tell_from(number * phase_s, phase, tell)):
                return


def _opened(out: Path) -> TextIO:
    try:
        return out.open("w", encoding="utf-8", newline="")
    except OSError as exc:
        raise ConfigInvalid(f"--out {out}: {exc.strerror}") from exc


def _tell_from(
    done_s: float, phase: str, tell: Callable[[float, str], None]
) -> Callable[[float], None]:
    return lambda elapsed_s: tell(done_s + elapsed_s, phase)


@contextmanager
def _reader(settings: "NodeSettings") -> "Iterator[TraceReader]":
    from wattribute.core.clock import SystemClock
    from wattribute.models.recording.trace import TraceReader
    from wattribute.node.activity.choose import choose_activity
    from wattribute.node.sources import open_sources

    with (
        closing(open_sources(settings, patience_s=PATIENCE_S)) as sources,
        closing(choose_activity(settings, sources.topology).activity) as activity,
    ):
        yield TraceReader(sources.energy.metering, activity, SystemClock())
