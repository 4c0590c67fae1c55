"""The load that `model collect` makes: it ends with whoever started it."""

import os
import signal
from pathlib import Path

from wattribute.models.recording.stress import Stress
from wattribute_testing.waiting import wait_until


def workers(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in text.split()]


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_a_worker_works_when_told_and_ends_with_the_context() -> None:
    cpu = min(os.sched_getaffinity(0))
    with Stress([cpu]) as stress:
        pid = stress.pid
        assert pid is not None
        wait_until(lambda: workers(pid))
        (worker,) = workers(pid)
        idle_s = cpu_s(worker)
        stress.set(1.0)
        wait_until(lambda: cpu_s(worker) > idle_s + 0.2)
        stress.set(0.0)

    wait_until(lambda: not Path(f"/proc/{worker}").exists())


def test_workers_end_when_the_process_that_started_them_is_killed() -> None:
    with Stress([min(os.sched_getaffinity(0))]) as stress:
        pid = stress.pid
        assert pid is not None
        wait_until(lambda: workers(pid))
        (worker,) = workers(pid)
        os.kill(pid, signal.SIGKILL)

        wait_until(lambda: not Path(f"/proc/{worker}").exists())
