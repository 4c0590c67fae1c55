"""Power of the machine from its BMC, in band: IPMI's DCMI extension, through ``ipmitool``.

Source: DCMI Specification 1.5, 6.6.1 Get Power Reading; the text is ipmitool's
(``lib/ipmi_dcmi.c``, 1.8.11 to 1.8.19).
"""

import os
import re
import shutil
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from wattribute.core.errors import MeterAbsent, MeterDenied, MeterFailed
from wattribute.core.records import Gauge, Zone
from wattribute.core.units import microwatts
from wattribute.node.meter.polled import PolledMeter

_TIMEOUT_S: Final = 20.0
_COMMAND: Final = ("dcmi", "power", "reading")
_NOW: Final = re.compile(r"^\s*Instantaneous power reading:\s+(\d{1,6}) Watts\s*$", re.MULTILINE)
_STATE: Final = re.compile(r"^\s*Power reading state is:\s+(\w+)\s*$", re.MULTILINE)
_LONGEST: Final = 16_384


def dcmi_power(text: str) -> Gauge:
    """What ``ipmitool dcmi power reading`` says; the power at the instant.

    Raises:
        MeterFailed: it says none, says it twice, or measures none now.
    """
    state, now = _STATE.findall(text), _NOW.findall(text)
    if state and state != ["activated"]:
        raise MeterFailed(
            "ipmi: the BMC does not measure power now; `ipmitool dcmi power activate` makes it"
        )
    if len(now) != 1 or len(state) != 1:
        raise MeterFailed("ipmi: `ipmitool dcmi power reading` does not say what it should")
    if int(now[0]) == 0:  # of a sensor that is not ready: a machine that runs draws more
        raise MeterFailed("ipmi: the BMC says 0 watts")
    return Gauge(microwatts(int(now[0])))


class IpmiSource:
    """``ipmitool``, started for each question."""

    def __init__(self, program: str) -> None:
        """``program``: its path."""
        self._program = program
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._stopped = False

    def poll(self) -> Mapping[Zone, Gauge]:
        """The power of the machine.

        Raises:
            MeterDenied: it needs root.
            MeterFailed: no answer that can be used.
        """
        return {Zone("platform", "0", "ipmi"): dcmi_power(self._ask())}

    def interrupt(self) -> None:
        """End the program that runs."""
        with self._lock:
            self._stopped = True
            if self._process is not None:
                self._process.kill()

    def close(self) -> None:
        """Nothing is held between questions."""

    def _ask(self) -> str:
        with self._lock:
            if self._stopped:
                raise MeterFailed("ipmi: the agent ends")
            try:
                process = self._process = subprocess.Popen(
                    [self._program, *_COMMAND],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                    errors="replace",
                    env={**os.environ, "LC_ALL": "C"},
                )
            except OSError as error:
                reason = (error.strerror or str(error)).lower()
                raise MeterFailed(f"ipmi: {self._program}: {reason}") from error
        with process:
            try:
                output, errors = process.communicate(timeout=_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                raise MeterFailed(
                    f"ipmi: {self._program} did not end in {_TIMEOUT_S:.0f} s; the BMC is busy"
                ) from None
            finally:
                with self._lock:
                    self._process = None
        if process.returncode == 0:
            return output[:_LONGEST]
        reason = " ".join((errors or output).split())[:200] or f"exit code {process.returncode}"
        if "ermission denied" in reason:
            raise MeterDenied(f"ipmi: {reason}; needs root")
        raise MeterFailed(f"ipmi: {' '.join((self._program, *_COMMAND))}: {reason}")


def open_ipmi(sysfs: Path, program: str, every_s: float) -> PolledMeter:
    """The meter of this machine's BMC; it is asked in the background.

    Raises:
        MeterAbsent: no BMC that the kernel knows, or no ipmitool.
    """
    if not any(sysfs.glob("class/ipmi/ipmi*")):
        raise MeterAbsent(
            "ipmi: no BMC in class/ipmi; if there is one: modprobe ipmi_si ipmi_devintf"
        )
    path = shutil.which(program)
    if path is None:
        raise MeterAbsent(f"ipmi: {program} is not installed; see meter.ipmitool")
    return PolledMeter("ipmi", IpmiSource(path), every_s)
