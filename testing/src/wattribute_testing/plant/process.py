"""The plant in a process of its own, so that its CPU time is not its tester's."""

import argparse
import math
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import msgspec

from wattribute.core.errors import ConfigInvalid
from wattribute_testing.plant.run import run_plant
from wattribute_testing.plant.scenario import Scenario, check, load_scenario
from wattribute_testing.plant.truth import Journal, Truth, read_truth

_START_S: Final = 20.0
_STOP_S: Final = 20.0


class Plant:
    """A plant that runs while the ``with`` block does.

    ``plant.sysfs`` is what an agent gets as ``--sysfs``. On entry the tree is
    there and its counters turn; on exit children and cgroups are gone.
    """

    def __init__(
        self, folder: Path, scenario: Scenario | None = None, *, seconds: float = math.inf
    ) -> None:
        """Prepare a plant; nothing runs before ``with``.

        Args:
            folder: for everything that it writes: ``sys/``, ``truth.json``, ``journal.csv``.
            scenario: what to play; by default an idle machine with one socket.
            seconds: after which it ends by itself.

        Raises:
            ConfigInvalid: the scenario contradicts itself.
        """
        self.scenario = check(scenario or Scenario())
        self.sysfs = folder / "sys"
        self._folder = folder
        self._seconds = seconds
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Start it, and wait until its first truth is written.

        Raises:
            ConfigInvalid: the scenario cannot be played on this machine.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        plan = self._folder / "scenario.json"
        plan.write_bytes(msgspec.json.encode(self.scenario))
        command = [sys.executable, "-m", "wattribute_testing.plant", str(plan), str(self.sysfs)]
        command += ["--truth", str(self._folder / "truth.json")]
        command += ["--journal", str(self._folder / "journal.csv"), "--attached"]
        if math.isfinite(self._seconds):
            command += ["--seconds", str(self._seconds)]
        package_root = str(Path(__file__).parents[2])
        search_path = os.pathsep.join(filter(None, [package_root, os.environ.get("PYTHONPATH")]))
        self._process = subprocess.Popen(
            command,
            env=os.environ | {"PYTHONPATH": search_path},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        if self._process.stdout is None or not self._is_ready(self._process.stdout.fileno()):
            _, errors = self._end()
            raise ConfigInvalid(f"the plant did not start: {errors.decode().strip()}")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop it; its files stay."""
        self._end()

    @property
    def pid(self) -> int:
        """Of the plant's process."""
        if self._process is None:
            raise RuntimeError("the plant has not been started")
        return self._process.pid

    def truth(self) -> Truth:
        """The newest truth that was written; the last one after the ``with`` block."""
        return read_truth(self._folder / "truth.json")

    def journal(self) -> Journal:
        """The course of the truth, as far as it was written."""
        return Journal(self._folder / "journal.csv")

    def _is_ready(self, output: int) -> bool:
        waiter = select.poll()  # select(2) refuses descriptors from 1,024 on
        waiter.register(output, select.POLLIN)
        return bool(waiter.poll(_START_S * 1000)) and os.read(output, 64).startswith(b"ready")

    def _end(self) -> tuple[bytes, bytes]:
        process = self._process
        if process is None:
            return b"", b""
        try:
            # Closing its standard input asks it to end, and lets it clean up.
            return process.communicate(timeout=_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.communicate()


def main(argv: Sequence[str] | None = None) -> int:
    """Run a plant from the command line; 0, or 2 for a scenario that cannot be played."""
    parser = argparse.ArgumentParser(prog="python -m wattribute_testing.plant")
    parser.add_argument("scenario", type=Path, help="JSON file")
    parser.add_argument("folder", type=Path, help="made into a sysfs")
    parser.add_argument("--seconds", type=float, default=math.inf)
    parser.add_argument("--truth", type=Path)
    parser.add_argument("--journal", type=Path)
    parser.add_argument("--attached", action="store_true", help="end with standard input")
    options = parser.parse_args(argv)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    if options.attached:
        threading.Thread(target=_stop_at_end_of_input, args=(stop,), daemon=True).start()
    is_ready = False

    def say_ready(_: Truth) -> None:
        nonlocal is_ready
        if not is_ready:
            print("ready", flush=True)  # noqa: T201 - what Plant waits for
            is_ready = True

    try:
        run_plant(
            load_scenario(options.scenario),
            options.folder,
            seconds=options.seconds,
            truth=options.truth,
            journal=options.journal,
            progress=say_ready,
            stop=stop,
        )
    except ConfigInvalid as exc:
        print(exc, file=sys.stderr)  # noqa: T201
        return 2
    return 0


def _stop_at_end_of_input(stop: threading.Event) -> None:
    while os.read(0, 4096):
        pass
    stop.set()
