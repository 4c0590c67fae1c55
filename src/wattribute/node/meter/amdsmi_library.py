"""The door to AMD SMI: loads ROCm's library, and turns its answers and errors into ours.

Nothing else imports the package ``amdsmi``, and nothing imports it before the library is known to
be there. Facts: AMD SMI Python API reference; struct layouts are the package's own.
"""

import ctypes
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from wattribute.core.errors import MeterAbsent, MeterDenied, MeterFailed

Handle = Any
"""A device: a pointer of the library's."""

_ADDRESS: Final = re.compile(r"[0-9a-f]{4,}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]")
_RESOLUTION_UJ: Final = (1.0, 1000.0)
"""What one count of energy may be: boards have 15.259 uJ. Anything else is another structure."""
_POWER_MAX_W: Final = 10_000
"""More says "not told" (all bits set)."""
_LOST: Final = frozenset({31, 32, 34, 51, 54})
"""NOT_FOUND, NOT_INIT, DRIVER_NOT_LOADED, NO_DRV, AMDGPU_RESTART_ERR."""
_UNSUPPORTED: Final = frozenset({2, 3, 45, 52})
"""NOT_SUPPORTED, NOT_YET_IMPLEMENTED, NO_ENERGY_DRV, FILE_NOT_FOUND."""
_NO_PERMISSION: Final = 10


class AmdSmiRefused(Exception):  # noqa: N818 - an answer, not always an error
    """The library answered a call with a code."""

    def __init__(self, call: str, code: int, said: str) -> None:
        """Keep the code of amdsmi_status_t."""
        self.code = code
        super().__init__(f"{call}: {said}")

    @property
    def unsupported(self) -> bool:
        """This device or driver has no such thing: asking again is no use."""
        return self.code in _UNSUPPORTED

    @property
    def lost(self) -> bool:
        """The device is gone, or the library must be opened again to see it."""
        return self.code in _LOST


class User(NamedTuple):
    """A process that has the device open."""

    pid: int
    memory_bytes: int
    engine_ns: int
    """On its graphics and encoding engines since it opened the device; ROCm's compute not."""
    compute_units: int
    """That it occupies at this instant."""


def opened(rocm: Path) -> "AmdSmiLibrary":
    """AMD SMI of the ROCm in a folder.

    Raises:
        MeterAbsent: there is no library, or no driver behind it.
        MeterDenied: the package is not installed, or the driver may not be used.
        MeterFailed: library and package do not fit together, or anything else.
    """
    file = rocm / "lib/libamd_smi.so"
    if not file.exists():
        raise MeterAbsent(f"no {file}, so no ROCm; meter.rocm names its folder")
    try:
        ctypes.CDLL(str(file))
    except OSError as exc:
        raise MeterDenied(f"meter.rocm: cannot be loaded: {exc}") from exc
    library = AmdSmiLibrary(_package(rocm, file))
    try:
        library.open()
    except AmdSmiRefused as refused:
        if refused.lost:
            raise MeterAbsent(f"{refused}; load the driver (modprobe amdgpu)") from refused
        if refused.code == _NO_PERMISSION:
            raise MeterDenied(f"{refused}; needs /dev/kfd and /dev/dri/renderD*") from refused
        raise MeterFailed(str(refused)) from refused
    return library


def _package(rocm: Path, file: Path) -> Any:  # noqa: ANN401 - a module without types
    """The package, bound to the library of this ROCm: it looks for one when it is imported."""
    before = os.environ.get("ROCM_HOME")
    os.environ["ROCM_HOME"] = str(rocm)
    try:
        import amdsmi  # noqa: PLC0415 - only where there is ROCm
    except ImportError as exc:
        raise MeterDenied(
            f"{file} is here, and the Python package amdsmi is not: pip install "
            f"{rocm}/share/amd_smi, or wattribute[amd]"
        ) from exc
    except (AttributeError, KeyError, OSError) as exc:
        raise MeterFailed(
            f"the Python package amdsmi does not fit {file} ({exc}): pip install "
            f"{rocm}/share/amd_smi"
        ) from exc
    finally:
        if before is None:
            del os.environ["ROCM_HOME"]
        else:
            os.environ["ROCM_HOME"] = before
    return amdsmi


class AmdSmiLibrary:
    """AMD SMI, initialised. Every method may raise Refused."""

    def __init__(self, package: Any) -> None:  # noqa: ANN401
        """Use the package; nothing is asked yet."""
        self._smi = package

    def open(self) -> None:
        """Look at what is there now."""
        self._call(self._smi.amdsmi_init)

    def close(self) -> None:
        """Let go of the driver."""
        try:
            self._call(self._smi.amdsmi_shut_down)
        except AmdSmiRefused:
            return  # it was closed by a driver that went away

    def devices(self) -> Iterator[tuple[str | AmdSmiRefused, Handle]]:
        """(PCI address, handle) of each; one that does not answer is there, and refused."""
        for handle in self._call(self._smi.amdsmi_get_processor_handles):
            try:
                yield self._address(handle), handle
            except AmdSmiRefused as refused:
                yield refused, handle

    def _address(self, handle: Handle) -> str:
        address = str(self._call(self._smi.amdsmi_get_gpu_device_bdf, handle)).lower()
        if not _ADDRESS.fullmatch(address):
            raise AmdSmiRefused("amdsmi_get_gpu_device_bdf", 0, f"{address!r} is no PCI address")
        return address

    def name(self, handle: Handle) -> tuple[str, int]:
        """``AMD Instinct MI300X``, and how many compute units it has; 0: not told."""
        answer = self._call(self._smi.amdsmi_get_gpu_asic_info, handle)
        units = answer.get("num_compute_units")
        return str(answer.get("market_name") or "AMD GPU"), units if isinstance(units, int) else 0

    def energy_uj(self, handle: Handle) -> int:
        """Microjoules since the driver was loaded, in steps of its resolution."""
        answer = self._call(self._smi.amdsmi_get_energy_count, handle)
        counts, resolution_uj = answer.get("energy_accumulator", 0), answer["counter_resolution"]
        least_uj, most_uj = _RESOLUTION_UJ
        if not counts or not least_uj <= resolution_uj <= most_uj:
            raise AmdSmiRefused(
                "amdsmi_get_energy_count", 2, f"{counts} counts of {resolution_uj} uJ: no counter"
            )
        return int(counts * resolution_uj)

    def power_w(self, handle: Handle) -> tuple[int, bool]:
        """Power of the board, and whether it is a mean of the sensor's own window."""
        answer = self._call(self._smi.amdsmi_get_power_info, handle)
        for key, averaged in (("average_socket_power", True), ("current_socket_power", False)):
            watts = answer.get(key)
            if isinstance(watts, int) and 0 < watts < _POWER_MAX_W:
                return watts, averaged
        raise AmdSmiRefused("amdsmi_get_power_info", 2, "it tells no power")

    def busy_percent(self, handle: Handle) -> int | None:
        """Part of the time in which its processors did anything; None: not told."""
        answer = self._call(self._smi.amdsmi_get_gpu_activity, handle).get("gfx_activity")
        return answer if isinstance(answer, int) and 0 <= answer <= 100 else None

    def memory(self, handle: Handle) -> tuple[int, int]:
        """Bytes used, and bytes there are."""
        answer = self._call(self._smi.amdsmi_get_gpu_vram_usage, handle)  # MiB
        return int(answer["vram_used"]) << 20, int(answer["vram_total"]) << 20

    def users(self, handle: Handle) -> list[User]:
        """Processes that have it open, as far as this process may see them."""
        return [
            User(
                int(process["pid"]),
                int(process["memory_usage"]["vram_mem"] or process["mem"]),
                int(process["engine_usage"]["gfx"]) + int(process["engine_usage"]["enc"]),
                units if isinstance(units := process.get("cu_occupancy"), int) else 0,
            )
            for process in self._call(self._smi.amdsmi_get_gpu_process_list, handle)
        ]

    def _call(self, function: Callable[..., Any], *arguments: object) -> Any:  # noqa: ANN401
        try:
            return function(*arguments)
        except self._smi.AmdSmiException as exc:
            code = getattr(exc, "err_code", 0)
            text = " ".join(str(getattr(exc, "err_info", exc)).split())
            raise AmdSmiRefused(function.__name__, int(code), text) from exc
