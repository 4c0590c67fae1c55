"""A machine with AMD GPUs in a folder: a ROCm whose library speaks AMD SMI's ABI, and a script."""

import importlib.util
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

from wattribute_testing.nvml import compiler

_SOURCE: Final = Path(__file__).with_name("amdsmi.c")
_LOOKED_FOR: Final = re.compile(r"_libraries\['libamd_smi\.so'\]\.(\w+)")
_ANSWERED: Final = re.compile(r"^int (amdsmi_\w+)\(", re.MULTILINE)

NOT_SUPPORTED: Final = 2
NO_PERMISSION: Final = 10
NOT_FOUND: Final = 31
DRIVER_NOT_LOADED: Final = 34
"""Codes of amdsmi_status_t, for ``fail`` and ``error``."""


def build_rocm(folder: Path) -> Path:
    """Compile the fake library to where a ROCm has it; the ROCm's folder.

    Raises:
        FileNotFoundError: there is no C compiler, or no package amdsmi, whose functions it has.
        subprocess.CalledProcessError: it does not compile.
    """
    compiler_path, package = compiler(), importlib.util.find_spec("amdsmi")
    if compiler_path is None or package is None or package.origin is None:
        raise FileNotFoundError("no C compiler (cc), or no package amdsmi (wattribute[amd])")
    wrapper = Path(package.origin).with_name("amdsmi_wrapper.py").read_text(encoding="utf-8")
    answered = set(_ANSWERED.findall(_SOURCE.read_text()))
    missing_functions = sorted(set(_LOOKED_FOR.findall(wrapper)) - answered)
    library = folder / "lib/libamd_smi.so"
    library.parent.mkdir(parents=True, exist_ok=True)
    flags = ("-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror")
    names = "-DOTHERS=" + " ".join(f"OTHER({name})" for name in missing_functions)
    subprocess.run(
        [compiler_path, *flags, names, "-o", str(library), str(_SOURCE), "-ldl"],
        check=True,
        capture_output=True,
    )
    return folder


@dataclass(slots=True)
class FakeAmdGpu:
    """One device; change it, then ``FakeAmdSmi.write``."""

    bus: int
    function: int = 0
    name: str = "AMD Instinct MI300X"
    units: int = 304
    counts: int = 1_000
    resolution_uj: float = 15.259
    power_w: tuple[int, int] = (0xFFFF, 0xFFFF)
    """Now, and mean; 0xFFFF: not told."""
    activity: int = 0xFFFF
    vram_mib: tuple[int, int] = (0, 196_608)
    error: int = 0
    failing: list[tuple[str, int]] = field(default_factory=list)
    processes: list[tuple[int, int, int, int]] = field(default_factory=list)
    """pid, bytes, nanoseconds on engines since it began, compute units now."""

    def holds(self, pid: int, memory: int, engine_ns: int = 0, units: int = 0) -> Self:
        """A process has the device open."""
        self.processes.append((pid, memory, engine_ns, units))
        return self

    def lines(self) -> list[str]:
        """Its part of the script."""
        return [
            f"gpu {self.bus << 8 | self.function} {self.name.replace(' ', '_')} {self.units}",
            f"error {self.error}",
            f"energy {self.counts} {self.resolution_uj}",
            "power {} {}".format(*self.power_w),
            f"activity {self.activity}",
            "vram {} {}".format(*self.vram_mib),
            *(f"fail {call} {code}" for call, code in self.failing),
            *("process {} {} {} {}".format(*process) for process in self.processes),
        ]


class FakeAmdSmi:
    """The library's script; the package amdsmi loads the library as it would load ROCm's.

    Give ``rocm`` to the setting ``meter.rocm``. The package binds one library per process.
    """

    def __init__(self, rocm: Path) -> None:
        """``rocm``: what ``build_rocm`` made; no device yet."""
        self.rocm = rocm
        self.gpus: list[FakeAmdGpu] = []
        self.init = 0
        """What amdsmi_init answers."""

    def gpu(self, bus: int, function: int = 0) -> FakeAmdGpu:
        """Add a device, by its place on the bus."""
        added = FakeAmdGpu(bus, function)
        self.gpus.append(added)
        return added

    def write(self) -> None:
        """Let the library answer so from now on."""
        lines = [f"init {self.init}", *(line for gpu in self.gpus for line in gpu.lines())]
        (self.rocm / "lib/amdsmi.script").write_text("\n".join(lines) + "\n")
