"""What commands share that measure for a while: a sleep that can be ended, and a progress bar."""

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import click

PATIENCE_S: Final = 10.0
"""For the first answer of a meter that is asked in the background, as a BMC is."""


@contextmanager
def interruptible() -> Iterator[Callable[[float], bool]]:
    """Give a sleep that Ctrl-C and SIGTERM end; it takes seconds, and returns True if they did."""
    stop = threading.Event()
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, lambda *_: stop.set()) for number in numbers]
    try:
        yield stop.wait
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


@contextmanager
def progress(total_s: float) -> Iterator[Callable[[float, str], None]]:
    """Show a bar on a terminal; elsewhere, print a line whenever another step begins.

    The function takes the seconds since the start, and the name of the step.
    """
    if not sys.stderr.isatty():
        last = [""]

        def line(done_s: float, step: str) -> None:
            if step != last[0]:
                last[0] = step
                click.echo(f"{step}: {done_s:.0f} of {total_s:.0f} s", err=True)

        yield line
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=total_s)
        yield lambda done_s, step: bar.update(task, completed=done_s, description=step)
