"""A command that is started again whenever it ends, until it is no longer wanted."""

import os
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from wattribute.core.errors import ConfigInvalid

_END_S: Final = 5.0


class RepeatedCommand:
    """One command and all processes of its session."""

    def __init__(self, name: str, argv: Sequence[str]) -> None:
        """Start nothing yet.

        Args:
            name: what the workload is called.
            argv: program and arguments.
        """
        self.name = name
        self._argv = list(argv)
        self._process: subprocess.Popen[bytes] | None = None

    def start_if_ended(self) -> int | None:
        """Start the command if it does not run; return the new process id, or None.

        Raises:
            ConfigInvalid: it cannot be started.
        """
        if self._process is not None and self._process.poll() is None:
            return None
        self._signal(signal.SIGKILL)  # what it left behind
        try:
            self._process = subprocess.Popen(
                self._argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as exc:
            raise ConfigInvalid(f"{self._argv[0]} cannot be started: {exc.strerror}") from exc
        return self._process.pid

    def end(self) -> None:
        """End the command, with SIGTERM first, and all that it started in its session."""
        if self._process is None:
            return
        self._signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_S)
        self._signal(signal.SIGKILL)
        self._process.wait()
        self._process = None

    def _signal(self, number: int) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError, PermissionError):  # nobody of the session is left
                os.killpg(self._process.pid, number)
