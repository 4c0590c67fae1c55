"""``run_command``: real commands; power from the estimator, activity without privilege."""

import os
import resource
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from wattribute.core.errors import ActivityAbsent, ActivityDenied
from wattribute.core.records import Origin
from wattribute.node.measuring import Measurement, run_command
from wattribute.node.settings import (
    ActivitySettings,
    AttributionSettings,
    MeterSettings,
    NodeSettings,
)

BURN = """
import time
end = time.process_time() + {seconds}
while time.process_time() < end:
    pass
"""
UNPRIVILEGED = NodeSettings(
    activity=ActivitySettings(source="procfs"), meter=MeterSettings(use=("estimate",))
)


def run(*command: str, settings: NodeSettings = UNPRIVILEGED) -> Measurement:
    return run_command(command, settings)


def test_a_command_has_energy_with_origin_and_band() -> None:
    measured = run(sys.executable, "-c", BURN.format(seconds=0.6))

    assert measured.exit_code == 0
    assert measured.cpu_ns == pytest.approx(0.6e9, rel=0.15)
    assert measured.origin is Origin.ESTIMATED
    assert 0 < measured.low_joules < measured.joules < measured.high_joules
    assert set(measured.by_component) >= {"cpu", "dram"}
    assert measured.complete


def test_children_that_came_and_went_are_counted_with_their_orphans() -> None:
    # It waits until its orphan has been reaped (by us): what lives on at the end is known in steps
    # of 10 ms only, and the kernel's sum of ended children, our truth, does not hold it at all.
    script = f"""
import os, subprocess, sys, time
for _ in range(3):
    subprocess.run([sys.executable, "-c", {BURN.format(seconds=0.1)!r}])
told, tell = os.pipe()
if os.fork() == 0:  # an orphan: its parent ends before it
    orphan = os.fork()
    if orphan == 0:
        exec({BURN.format(seconds=0.2)!r})
        os._exit(0)
    os.write(tell, str(orphan).encode())
    os._exit(0)
os.wait()
orphan = os.read(told, 16).decode()
while os.path.exists("/proc/" + orphan):
    time.sleep(0.01)
"""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    measured = run(sys.executable, "-c", script)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    truth_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    # Both are the kernel's sums of ended children: equal but for rounding to microseconds.
    assert measured.cpu_ns == pytest.approx(truth_s * 1e9, abs=100_000)
    assert measured.cpu_ns > 0.5e9


def test_the_exit_code_is_the_commands() -> None:
    assert run("sh", "-c", "exit 7").exit_code == 7
    assert run("sh", "-c", "kill -9 $$").exit_code == -signal.SIGKILL


def test_a_command_that_is_not_there_says_so() -> None:
    with pytest.raises(FileNotFoundError):
        run("no-such-command-anywhere")


def test_a_command_that_may_not_be_executed_says_so(tmp_path: Path) -> None:
    file = tmp_path / "data"
    file.write_text("data")

    with pytest.raises(PermissionError):
        run(str(file))


def test_a_script_without_an_interpreter_line_is_the_shells(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text('exit "$1"\n')
    script.chmod(0o755)

    assert run(str(script), "7").exit_code == 7


def test_processes_that_outlive_the_command_are_named_not_hidden() -> None:
    measured = run("sh", "-c", "sleep 3 >/dev/null 2>&1 &")

    assert not measured.complete
    assert any("still run" in note for note in measured.notes)


def test_sigterm_reaches_the_command() -> None:
    timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGTERM))
    timer.start()
    started = time.monotonic()
    measured = run("sleep", "20")
    timer.join()

    assert measured.exit_code == -signal.SIGTERM
    assert time.monotonic() - started < 10


def test_signal_handling_is_as_before_afterwards() -> None:
    before = signal.getsignal(signal.SIGINT), signal.pthread_sigmask(signal.SIG_BLOCK, ())
    run("true")

    assert (
        signal.getsignal(signal.SIGINT),
        signal.pthread_sigmask(signal.SIG_BLOCK, ()),
    ) == before


def test_by_use_the_command_pays_its_part_of_the_floor() -> None:
    settings = NodeSettings(
        activity=ActivitySettings(source="procfs"),
        meter=MeterSettings(use=("estimate",)),
        attribution=AttributionSettings(idle_policy="usage"),
    )
    measured = run(sys.executable, "-c", BURN.format(seconds=0.6), settings=settings)

    assert measured.by_component["cpu"].idle_uj > 0
    assert not any("idle power" in note for note in measured.notes)


@pytest.mark.bpf
def test_ebpf_sees_children_that_nobody_waits_for() -> None:
    script = f"""
import os, signal, time
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
for _ in range(3):
    if not os.fork():
        exec({BURN.format(seconds=0.15)!r})
        os._exit(0)
time.sleep(2)
"""
    settings = NodeSettings(
        activity=ActivitySettings(source="tasks"), meter=MeterSettings(use=("estimate",))
    )
    try:
        measured = run(sys.executable, "-c", script, settings=settings)
    except (ActivityAbsent, ActivityDenied) as error:
        pytest.skip(str(error))

    assert measured.cpu_ns > 0.44e9
