"""What a command inherits from ``wattribute run``, and what ends it."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from wattribute.node.measuring import run_command
from wattribute.node.measuring.tree import ProcessTree, is_subreaper
from wattribute.node.settings import (
    ActivitySettings,
    MeterSettings,
    NodeSettings,
)

UNPRIVILEGED = NodeSettings(
    activity=ActivitySettings(source="procfs"), meter=MeterSettings(use=("estimate",))
)
RUN = """
import signal, sys
from wattribute.node.measuring import run_command
from wattribute.node.settings import ActivitySettings, MeterSettings, NodeSettings
for number in {ignored}:
    signal.signal(number, signal.SIG_IGN)
settings = NodeSettings(
    activity=ActivitySettings(source="procfs"), meter=MeterSettings(use=("estimate",))
)
sys.exit(run_command(sys.argv[1:], settings).exit_code)
"""


@pytest.mark.parametrize("ignored", [(), (signal.SIGINT,), (signal.SIGHUP,), (signal.SIGCHLD,)])
def test_a_command_ignores_what_its_caller_ignored_and_nothing_else(
    ignored: tuple[int, ...],
) -> None:
    """Under nohup, and in the background of a script; Python itself ignores SIGPIPE."""
    program = RUN.format(ignored=[int(number) for number in ignored])
    command = ("grep", "SigIgn", "/proc/self/status")
    said = subprocess.run(
        [sys.executable, "-c", program, *command], capture_output=True, check=True, timeout=30
    )

    mask = int(said.stdout.split()[1], 16)
    inherited = {
        number
        for number in (signal.SIGINT, signal.SIGQUIT)  # of tests that run in the background
        if signal.getsignal(number) is signal.SIG_IGN
    }
    told = {number for number in range(1, 32) if mask >> (number - 1) & 1}
    assert told == set(ignored) | inherited


def test_a_command_has_no_files_of_ours(tmp_path: Path) -> None:
    script = f"readlink /proc/self/fd/* > {tmp_path}/"
    run_command(("sh", "-c", f"{script}ours"), UNPRIVILEGED)
    subprocess.run(["sh", "-c", f"{script}theirs"], close_fds=False, check=False)

    ours, theirs = ((tmp_path / name).read_text().splitlines() for name in ("ours", "theirs"))
    assert len(ours) == len(theirs)


def test_what_cannot_be_a_command_never_runs_our_own_code_twice() -> None:
    measured = run_command(("a\0b",), UNPRIVILEGED)

    assert measured.exit_code == 127


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_that_asks_to_end_reaches_the_command(number: signal.Signals) -> None:
    timer = threading.Timer(0.5, os.kill, (os.getpid(), number))
    timer.start()
    measured = run_command(("sleep", "20"), UNPRIVILEGED)
    timer.join()

    assert measured.exit_code == -number


def test_a_stopped_command_is_waited_for() -> None:
    started = time.monotonic()
    script = "(sleep 0.4; kill -CONT $$) & kill -STOP $$; exit 3"

    assert run_command(("sh", "-c", script), UNPRIVILEGED).exit_code == 3
    assert time.monotonic() - started > 0.35


def test_orphans_are_ours_for_as_long_as_the_command_runs() -> None:
    before = is_subreaper()
    run_command(("true",), UNPRIVILEGED)

    assert is_subreaper() is before


def test_a_chain_of_processes_may_be_long(tmp_path: Path) -> None:
    chain = [os.getpid(), *range(10_000_000, 10_003_000)]
    for pid, child in zip(chain, [*chain[1:], ""], strict=True):
        task = tmp_path / f"{pid}/task/{pid}"
        task.mkdir(parents=True)
        (task / "children").write_text(str(child))

    assert ProcessTree(tmp_path, with_self=False).live() == tuple(chain[1:])


def test_a_process_that_changes_its_parent_meanwhile_counts_once(tmp_path: Path) -> None:
    for pid, children in ((os.getpid(), "7 8 9"), (7, "8"), (8, "9"), (9, "")):
        task = tmp_path / f"{pid}/task/{pid}"
        task.mkdir(parents=True)
        (task / "children").write_text(children)

    assert sorted(ProcessTree(tmp_path, with_self=False).live()) == [7, 8, 9]
