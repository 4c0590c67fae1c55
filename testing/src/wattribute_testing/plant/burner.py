"""burner.c in Python, for machines without a compiler: same arguments, same behaviour.

Run as a script by the plant (``python -S burner.py ...``), never imported. A
process costs some milliseconds more than in C; the truth counts them.
"""

import ctypes
import itertools
import os
import signal
import struct
import sys
import time

_PR_SET_PDEATHSIG, _PR_SET_NAME = 1, 15  # prctl(2)


def _burn_until(cpu_s: float) -> None:
    while time.process_time() < cpu_s:
        sum(range(400))


def _load_at(points: list[tuple[float, float]], at: float) -> float:
    if at <= points[0][0]:
        return points[0][1]
    for (t0, v0), (t1, v1) in itertools.pairwise(points):
        if at < t1:
            return v0 + (v1 - v0) * (at - t0) / (t1 - t0)
    return points[-1][1]


def _burn(schedule: str) -> None:
    points = []
    for word in schedule.split(","):
        at, _, value = word.partition(":")
        points.append((float(at), float(value)))
    start = last = time.monotonic()
    due = time.process_time()
    while True:
        now, usage = time.monotonic(), time.process_time()
        load = _load_at(points, now - start)
        due += load * (now - last)
        last = now
        # What a busy machine withheld for longer than this is not made up for.
        due = min(max(due, usage - 0.02), usage + 0.05)
        _burn_until(due)
        if load < 1:
            time.sleep(0.01)


def _churn(count: int, burst_ms: float, per_second: float, report: int) -> None:
    start = time.monotonic()
    for number in range(count):
        if per_second > 0:
            time.sleep(max(0.0, start + number / per_second - time.monotonic()))
        pid = os.fork()
        if not pid:
            _burn_until(burst_ms / 1e3)
            os._exit(0)
        _, _, usage = os.wait4(pid, 0)
        cpu_ns = round((usage.ru_utime + usage.ru_stime) * 1e9)
        os.write(report, struct.pack("qq", pid, cpu_ns))


def _main(argv: list[str]) -> int:
    libc = ctypes.CDLL(None)
    while argv and argv[0].startswith("--"):
        option, value, *argv = argv
        if option == "--join":
            with open(value, "wb", buffering=0) as file:  # noqa: PTH123 - no pathlib: start fast
                file.write(b"0")
        elif option == "--cpus":
            os.sched_setaffinity(0, {int(cpu) for cpu in value.split(",")})
        elif option == "--parent":
            libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != int(value):
                return 1
    name, mode, *rest = argv
    if mode == "run":
        os.execvp(rest[0], rest)  # noqa: S606 - the scenario's own command
    libc.prctl(_PR_SET_NAME, name.encode())
    if mode == "burn":
        _burn(rest[0])
    elif mode == "churn":
        _churn(int(rest[0]), float(rest[1]), float(rest[2]), int(rest[3]))
    return 0


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
