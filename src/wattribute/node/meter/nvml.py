"""NVIDIA GPUs through NVML: their energy, and which processes used them.

Sources: NVIDIA's NVML API reference (nvmlDeviceGetTotalEnergyConsumption, Volta
and later; nvmlDeviceGetProcessUtilization, Maxwell and later; field POWER_AVERAGE).
"""

import ctypes
from collections import Counter as Tally
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from wattribute.core.errors import MeterAbsent, MeterDenied, MeterError, MeterFailed
from wattribute.core.records import GpuState, GpuUsage, Reading, Zone
from wattribute.core.units import NANOSECONDS_PER_SECOND, Nanoseconds
from wattribute.node.meter.backend import MeterBackend
from wattribute.node.settings import NodeSettings

if TYPE_CHECKING:
    from wattribute.node.meter.dcgm import DcgmReader
    from wattribute.node.meter.nvml_device import NvmlDevice
    from wattribute.node.meter.nvml_library import NvmlLibrary

_LIBRARY: Final = "libnvidia-ml.so.1"
_MOUNTS: Final = (
    "/run/nvidia/driver/usr/lib/x86_64-linux-gnu",
    "/run/nvidia/driver/usr/lib/aarch64-linux-gnu",
    "/run/nvidia/driver/usr/lib64",
    "/usr/local/nvidia/lib64",
    "/home/kubernetes/bin/nvidia/lib64",
    "/usr/lib/wsl/lib",
)
"""Where GPU operators and clouds put the driver's libraries, beside the loader's own places."""
_FIRST_PAUSE_NS: Final = 30 * NANOSECONDS_PER_SECOND
_LONGEST_PAUSE_NS: Final = 480 * NANOSECONDS_PER_SECOND
"""Before lost devices are looked for again: opening may take the driver a second."""


def load_library(path: str) -> ctypes.CDLL:
    """Load NVIDIA's library, without which nothing here costs anything.

    Args:
        path: the file; "": where the loader finds it, or GPU operators put it.

    Raises:
        MeterAbsent: it is not there.
        MeterDenied: it is, and cannot be loaded.
    """
    places = [path] if path else [_LIBRARY, *(f"{folder}/{_LIBRARY}" for folder in _MOUNTS)]
    for place in places:
        try:
            return ctypes.CDLL(place)
        except OSError as exc:
            if "/" in place and Path(place).exists():
                raise MeterDenied(f"meter.nvml_library: cannot be loaded: {exc}") from exc
    if path:
        raise MeterAbsent(f"meter.nvml_library: {path}: there is no such file")
    raise MeterAbsent(
        f"no {_LIBRARY}, so no NVIDIA driver; in a container mount the driver's library and "
        "name it in meter.nvml_library"
    )


class NvmlMeter:
    """All GPUs that the driver shows; one that fails costs itself alone.

    Devices that fall off the bus are looked for again after 30 s, then ever
    more seldom. That opens the library anew, because it counts devices only then.
    """

    name = "nvml"

    def __init__(self, library: str = "", dcgm_url: str = "") -> None:
        """Find the devices.

        Args:
            library: libnvidia-ml.so.1; "": looked for.
            dcgm_url: of dcgm-exporter, for MIG instances that NVML tells nothing of; "": none.

        Raises:
            MeterAbsent: no library, no driver, or no device.
            MeterDenied: nvidia-ml-py is not installed, or the driver may not be used.
            MeterFailed: the driver does not fit the library, or no device answers.
            ConfigInvalid: ``dcgm_url`` is no address.
        """
        self._loaded = load_library(library)
        self._devices: dict[str, NvmlDevice] = {}
        self._unseen: tuple[str, ...] = ()
        self._last_ns: Nanoseconds | None = None
        self._due_ns: int | None = None
        self._pause_ns = _FIRST_PAUSE_NS
        self._dcgm: DcgmReader | None = None
        self._library: NvmlLibrary | None = self._opened()
        try:
            self._look(self._library)
            self._check(self._library)
            if dcgm_url:
                self._dcgm = _dcgm(dcgm_url)
            for device in self._devices.values():
                device.use(self._library, self._dcgm, 0)
        except BaseException:
            self.close()
            raise

    @property
    def zones(self) -> tuple[Zone, ...]:
        """One per device that is there."""
        return tuple(device.zone for device in self._devices.values() if not device.lost)

    @property
    def dcgm_problem(self) -> str:
        """Why dcgm-exporter gave no answer last; "" if it did, or is not asked."""
        return self._dcgm.problem if self._dcgm is not None else ""

    @property
    def problems(self) -> tuple[str, ...]:
        """What was wrong in the last read, one line each."""
        lines = (line for device in self._devices.values() for line in device.problems)
        return (*self._unseen, *lines)

    @property
    def notes(self) -> tuple[str, ...]:
        """How the devices are measured; devices alike are one line."""
        kinds = Tally(device.note for device in self._devices.values() if not device.lost)
        return tuple(f"{count} x {note}" for note, count in kinds.items())

    def read(self, now_ns: Nanoseconds) -> tuple[Reading, ...]:
        """Energy or power of every device that answers.

        Raises:
            MeterFailed: none does.
        """
        self._look_again(now_ns)
        readings = []
        for device in self._devices.values():
            if self._library is None or device.lost:
                continue
            value = device.energy(self._library)
            if value is not None:
                readings.append(Reading(device.zone, now_ns, value))
        if not readings:
            raise MeterFailed(f"nvml: no device answers: {next(iter(self.problems), 'none there')}")
        return tuple(readings)

    def read_use(self, now_ns: Nanoseconds) -> GpuUsage | None:
        """Return who used the devices since the read before; None the first time."""
        before, self._last_ns = self._last_ns, now_ns
        elapsed_ns = 0 if before is None else now_ns - before
        states: list[GpuState] = []
        rows: list[tuple[int, int, int, int]] = []
        for device in self._devices.values():
            if self._library is None or device.lost:
                continue
            answer = device.use(self._library, self._dcgm, elapsed_ns)
            if answer is not None:
                state, users = answer
                rows += [(len(states), pid, *amounts) for pid, amounts in users.items()]
                states.append(state)
        if before is None:
            return None
        table = np.array(rows, np.int64).reshape(-1, 4)
        device_index, pid, busy_ns, memory_bytes = (table[:, n].copy() for n in range(4))
        return GpuUsage(before, now_ns, tuple(states), device_index, pid, busy_ns, memory_bytes)

    def close(self) -> None:
        """Let go of the driver."""
        if self._dcgm is not None:
            self._dcgm.close()
        self._shut()

    def _check(self, library: "NvmlLibrary") -> None:
        if not self._devices and not self._unseen:
            raise MeterAbsent("nvml: the driver shows no device")
        readings = [device.energy(library) for device in self._devices.values()]
        if not any(readings):
            raise MeterFailed(f"nvml: no device tells energy or power: {self.problems[0]}")

    def _opened(self) -> "NvmlLibrary":
        try:
            from wattribute.node.meter import nvml_library  # noqa: PLC0415 - only where there is NVML
        except ImportError as exc:
            raise MeterDenied(
                f"{_LIBRARY} is here, and the Python package nvidia-ml-py is not: install "
                "wattribute[gpu]"
            ) from exc
        return nvml_library.opened(self._loaded)

    def _shut(self) -> None:
        for device in self._devices.values():
            device.forget_mig()
        if self._library is not None:
            self._library.close()
            self._library = None

    def _look(self, library: "NvmlLibrary") -> None:
        """Make the devices those that are there now; who was known before keeps its place."""
        from wattribute.node.meter.nvml_device import NvmlDevice  # noqa: PLC0415
        from wattribute.node.meter.nvml_library import NvmlRefused  # noqa: PLC0415

        lost_indices = {device.index for device in self._devices.values() if device.lost}
        unseen = []
        zone_ids = set()
        for index, handle in library.devices():
            try:
                if isinstance(handle, NvmlRefused):
                    raise handle
                device = NvmlDevice(library, index, handle)
            except NvmlRefused as refused:
                if index not in lost_indices:  # that one says so itself
                    unseen.append(f"gpu {index}: {refused}; it is looked for again")
                continue
            zone_ids.add(device.zone.id)
            first_seen = self._devices.setdefault(device.zone.id, device)
            if first_seen is not device:
                first_seen.found_again(device)
        for uuid in self._devices.keys() - zone_ids:
            if not self._devices[uuid].lost:
                unseen.append(f"gpu {uuid}: has vanished; it is read again when it comes back")
            self._devices[uuid].lost = True
        self._unseen = tuple(unseen)

    def _look_again(self, now_ns: int) -> None:
        """Open the library anew, when a device is lost and the time has come."""
        is_lost = self._library is None or any(device.lost for device in self._devices.values())
        if not is_lost and not self._unseen:
            self._due_ns, self._pause_ns = None, _FIRST_PAUSE_NS
            return
        if self._due_ns is None:
            self._due_ns = now_ns + self._pause_ns
        if now_ns < self._due_ns:
            return
        self._pause_ns = min(2 * self._pause_ns, _LONGEST_PAUSE_NS)
        self._due_ns = now_ns + self._pause_ns
        self._shut()
        try:
            self._library = self._opened()
            self._look(self._library)
        except MeterError as error:
            self._unseen = (str(error),)


def _dcgm(url: str) -> "DcgmReader":
    from wattribute.node.meter.dcgm import DcgmReader  # noqa: PLC0415 - seldom needed

    return DcgmReader(url)


def _open(settings: NodeSettings, _covered: frozenset[str]) -> NvmlMeter:
    return NvmlMeter(settings.meter.nvml_library, settings.meter.dcgm_url)


BACKEND = MeterBackend(
    name=NvmlMeter.name,
    open=_open,
    sees="NVIDIA GPUs, and who used them",
    kinds=frozenset({"gpu"}),
    sources=frozenset({"nvml"}),
    form="either",
)
