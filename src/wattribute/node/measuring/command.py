"""``wattribute run``: a command, from its exec to its exit, with every child that came and went."""

import errno
import os
import shutil
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NoReturn

from wattribute.core.errors import ActivityFailed
from wattribute.core.units import NANOSECONDS_PER_SECOND
from wattribute.node.measuring.opening import open_window
from wattribute.node.measuring.result import Measurement
from wattribute.node.measuring.tree import ProcessTree, is_subreaper, set_subreaper
from wattribute.node.measuring.window import COARSE_NS, Window
from wattribute.node.settings import NodeSettings

_LONGEST_TICK_S: Final = 1.0
_KEYBOARD: Final = (signal.SIGINT, signal.SIGQUIT)
"""Sent by the terminal to the command too: it decides, we wait for it."""
_ENDING: Final = (signal.SIGTERM, signal.SIGHUP)
"""Sent to us alone as a rule, and passed on."""
_PYTHONS: Final = (signal.SIGPIPE, signal.SIGXFSZ)
"""Python ignores them; a command must not."""


def run_command(
    command: Sequence[str],
    settings: NodeSettings,
    g_per_kwh: float | None = None,
    folder: Path | None = None,
) -> Measurement:
    """Run a command, and say what it and all its children used.

    Meters are read at its exec and at its exit, whatever the interval.

    Args:
        command: program and arguments.
        settings: which meters, which source of activity.
        g_per_kwh: carbon intensity of the electricity, in gCO2e per kWh.
        folder: where it runs; None: where we are.

    Raises:
        OSError: it cannot be started; errno says why.
        MeterError: a meter that the settings name cannot be used.
        ConfigInvalid: the settings are wrong.
    """
    was_subreaper = is_subreaper()
    inherits = set_subreaper(wanted=True)
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD, *_ENDING})
    handlers = {number: signal.signal(number, signal.SIG_IGN) for number in _KEYBOARD}
    # Where it is ignored (inherited so) the kernel reaps children itself, and tells nobody.
    handlers[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    try:
        # Before the fork: /proc tells a live child's time in steps of 10 ms only, and a step taken
        # before the base would be missing for good.
        tree = ProcessTree(Path(settings.activity.procfs), with_self=False)
        child = _Child(command, blocked, handlers, folder)
        try:
            window, notes = open_window(settings, tree, child.pid)
        except BaseException:
            child.abandon()
            raise
        try:
            child.release()
            status = _wait(child, window, settings)
            still_running = tree.live()
        finally:
            window.close()
    finally:
        for number, handler in handlers.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        set_subreaper(wanted=was_subreaper)
    return _measurement(command, status, window, g_per_kwh, (still_running, inherits, notes))


def _measurement(
    command: Sequence[str],
    status: int,
    window: Window,
    g_per_kwh: float | None,
    circumstances: tuple[Sequence[int], bool, Sequence[str]],
) -> Measurement:
    still_running, inherits, notes = circumstances
    problems = window.problems()
    messages = [*notes, *problems]
    if still_running:
        messages.append(
            f"{len(still_running)} of its processes still run: what they use from now is not in it"
        )
    if not inherits:
        messages.append("orphans could not be followed: the kernel has no child subreaper")
    if window.elapsed_ns < COARSE_NS:
        messages.append(
            "shorter than 0.1 s: rough, by steps of meters or by its own CPU time alone"
        )
    return Measurement(
        command=tuple(command),
        exit_code=os.waitstatus_to_exitcode(status),
        elapsed_ns=window.elapsed_ns,
        cpu_ns=window.cpu_ns,
        by_component=window.by_component,
        g_per_kwh=g_per_kwh,
        complete=not still_running and inherits and not problems,
        notes=tuple(messages),
        power_peak_uw=window.power_peak_uw,
        others_busy=window.others_busy,
        counters=dict(window.counters),
    )


def _wait(child: "_Child", window: Window, settings: NodeSettings) -> int:
    """Tick until the command ends, reaping all that comes and goes; its wait status."""
    interval_s = min(settings.monitor.interval, _LONGEST_TICK_S)
    due_ns = window.start_ns + round(interval_s * NANOSECONDS_PER_SECOND)
    status: int | None = None
    while status is None:
        pause_s = max(0.0, (due_ns - window.now_ns()) / NANOSECONDS_PER_SECOND)
        caught = signal.sigtimedwait({signal.SIGCHLD, *_ENDING}, pause_s)
        if caught is not None and caught.si_signo in _ENDING:
            with suppress(ProcessLookupError):
                os.kill(child.pid, caught.si_signo)
        status = _reap(child.pid)
        if status is None and window.now_ns() >= due_ns:
            with suppress(ActivityFailed):  # the next tick covers it
                window.tick()
            due_ns = window.now_ns() + round(interval_s * NANOSECONDS_PER_SECOND)
    window.tick(final=True)
    return status


def _reap(main: int) -> int | None:
    """Take in all children that have ended; the status of the main one, if it is among them."""
    status = None
    while True:
        try:
            pid, ended = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return status
        if pid == 0:
            return status
        if pid == main:
            status = ended


class _Child:
    """A forked child that waits to be told before it executes the command."""

    def __init__(
        self,
        command: Sequence[str],
        mask: set[signal.Signals] | set[int],
        handlers: Mapping[signal.Signals, Any],
        folder: Path | None,
    ) -> None:
        """Fork; it gets the mask and the ignored signals that we were given."""
        go_read, self._go = os.pipe()
        self._failed, failed = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self._go)
            os.close(self._failed)
            ignored = {n for n, handler in handlers.items() if handler == signal.SIG_IGN}
            for number in (*handlers, *_PYTHONS):
                signal.signal(number, signal.SIG_IGN if number in ignored else signal.SIG_DFL)
            _execute(command, (go_read, failed), mask, folder)
        os.close(go_read)
        os.close(failed)

    def release(self) -> None:
        """Let it execute the command.

        Raises:
            OSError: the command cannot be started.
        """
        os.write(self._go, b"!")
        os.close(self._go)
        number = os.read(self._failed, 16)
        os.close(self._failed)
        if number:
            os.waitpid(self.pid, 0)
            raise OSError(int(number), os.strerror(int(number)))

    def abandon(self) -> None:
        """Let it end without executing anything."""
        os.close(self._go)
        os.close(self._failed)
        os.waitpid(self.pid, 0)


def _execute(
    command: Sequence[str],
    pipes: tuple[int, int],
    mask: set[signal.Signals] | set[int],
    folder: Path | None,
) -> NoReturn:
    """In the child: wait for the word, then become the command."""
    go, failed = pipes
    try:
        if not os.read(go, 1):
            os._exit(0)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        if folder is not None:
            os.chdir(folder)
        _become(command)
    except OSError as error:
        os.write(failed, str(error.errno).encode())
    finally:
        os._exit(127)  # whatever happened, what is above us on the stack is the parent's


def _become(command: Sequence[str]) -> NoReturn:
    """Execute; a script without ``#!`` is sh's, as for every shell (POSIX, XCU 2.9.1.4)."""
    try:
        os.execvp(command[0], list(command))  # noqa: S606 - the user's own command
    except OSError as error:
        script = shutil.which(command[0])
        if error.errno != errno.ENOEXEC or script is None:
            raise
        os.execv("/bin/sh", ["/bin/sh", script, *command[1:]])  # noqa: S606
