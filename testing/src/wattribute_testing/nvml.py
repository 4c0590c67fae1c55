"""A machine with NVIDIA GPUs in a folder: a library that speaks NVML's ABI, and its script."""

import os
import shutil
import subprocess
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Final, Self

_SOURCE: Final = Path(__file__).with_name("nvml.c")
_NAME: Final = "libnvidia-ml.so.1"
_SCRIPT: Final = "nvml.script"

NOT_SUPPORTED: Final = 3
INSUFFICIENT_SIZE: Final = 7
DRIVER_NOT_LOADED: Final = 9
GPU_IS_LOST: Final = 15
VERSION_MISMATCH: Final = 18
UNKNOWN: Final = 999
"""Codes of nvmlReturn_t, for ``fail`` and ``error``."""


def compiler() -> str | None:
    """The C compiler of this machine; None: it has none, so there can be no fake library."""
    return next((name for name in ("cc", "gcc", "clang") if shutil.which(name)), None)


def build_library(folder: Path) -> Path:
    """Compile the fake library into a folder; where it is.

    Raises:
        FileNotFoundError: there is no C compiler.
        subprocess.CalledProcessError: it does not compile.
    """
    compiler_path = compiler()
    if compiler_path is None:
        raise FileNotFoundError("no C compiler (cc): the fake NVML library cannot be built")
    library = folder / _NAME
    flags = ("-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror")
    subprocess.run(
        [compiler_path, *flags, "-o", str(library), str(_SOURCE), "-ldl"],
        check=True,
        capture_output=True,
    )
    return library


@dataclass(slots=True)
class FakeGpu:
    """One device; change it, then ``FakeNvml.write``."""

    uuid: str
    name: str = "NVIDIA H100 80GB HBM3"
    energy_mj: int | None = 0
    """None: the device has no counter."""
    power_mw: int | None = 70_000
    average_mw: int | None = None
    memory_used: int = 0
    memory_total: int = 80 << 30
    utilisation: int | None = 0
    error: int = 0
    """Every call answers it."""
    mig_slots: int = 0
    """MIG mode is on, with so many of the smallest instances at most."""
    processes: list[tuple[str, int, int, int | None]] = field(default_factory=list)
    """``compute``, ``graphics`` or ``mps``; pid, bytes, MIG instance."""
    samples: list[tuple[int, int, int]] = field(default_factory=list)
    """Instant on the driver's clock in microseconds, pid, percent."""
    instances: list[tuple[int, int, str, float]] = field(default_factory=list)
    """MIG: id, slices, UUID, percent of its processors that is busy."""
    failing: list[tuple[str, int, int]] = field(default_factory=list)

    def holds(
        self, pid: int, memory: int, kind: str = "compute", instance: int | None = None
    ) -> Self:
        """A process has the device open."""
        self.processes.append((kind, pid, memory, instance))
        return self

    def ran(self, pid: int, percent: int, at_us: int) -> Self:
        """A sample of what a process did."""
        self.samples.append((at_us, pid, percent))
        return self

    def fail(self, call: str, code: int, times: int = -1) -> Self:
        """One call answers a code from now on, or so many times (see nvml.c for the names)."""
        self.failing.append((call, code, times))
        return self

    def lines(self) -> list[str]:
        """Its part of the script."""
        numbers = {
            "energy_mj": self.energy_mj,
            "power_mw": self.power_mw,
            "average_mw": self.average_mw,
            "utilisation": self.utilisation,
        }
        return [
            f"gpu {self.uuid} {self.name.replace(' ', '_')}",
            f"error {self.error}",
            *(f"{key} {value}" for key, value in numbers.items() if value is not None),
            f"memory {self.memory_used} {self.memory_total}",
            f"mig {self.mig_slots}",
            *(f"fail {call} {code} {times}" for call, code, times in self.failing),
            *(
                f"process {kind} {pid} {memory} {'' if instance is None else instance}"
                for kind, pid, memory, instance in self.processes
            ),
            *(f"sample {at_us} {pid} {percent}" for at_us, pid, percent in self.samples),
            *(
                f"instance {number} {slices} {uuid} {busy}"
                for number, slices, uuid, busy in self.instances
            ),
        ]


class FakeNvml:
    """The library and its script; nvidia-ml-py loads it as it would load the driver's.

    Give ``library`` to the setting ``meter.nvml_library``.
    """

    def __init__(self, folder: Path, built: Path | None = None) -> None:
        """Use ``folder``; ``built``: a library that ``build_library`` made before, to copy."""
        folder.mkdir(parents=True, exist_ok=True)
        if built is None:
            self.library = build_library(folder)
        else:
            self.library = Path(shutil.copy(built, folder / _NAME))
        self.gpus: list[FakeGpu] = []
        self.init = 0
        """What nvmlInit answers."""
        self.names: dict[int, str] = {}
        """Programs of processes, as the driver knows them."""
        self._script = folder / _SCRIPT
        self._written = count(1)

    def gpu(self, uuid: str = "") -> FakeGpu:
        """Add a device."""
        number = len(self.gpus)
        added = FakeGpu(uuid or f"GPU-00000000-0000-4000-8000-{number:012x}")
        self.gpus.append(added)
        return added

    def write(self) -> None:
        """Let the library answer so from now on."""
        lines = [f"init {self.init}", "driver 550.54.15"]
        lines += [f"name_of {pid} {name}" for pid, name in self.names.items()]
        for gpu in self.gpus:
            lines += gpu.lines()
        new = self._script.with_suffix(".new")
        new.write_text("\n".join(lines) + "\n")
        # The library reads the file again when its time is another one.
        stamp = next(self._written) * 1_000_000_000
        os.utime(new, ns=(stamp, stamp))
        new.replace(self._script)
