"""AMD GPUs through AMD SMI, the library of ROCm: energy counters, and who used them."""

from collections import Counter as Tally
from pathlib import Path
from typing import Final

import numpy as np

from wattribute.core.errors import MeterAbsent, MeterError, MeterFailed
from wattribute.core.records import Counter, Gauge, GpuState, GpuUsage, Reading, Zone
from wattribute.core.units import NANOSECONDS_PER_SECOND, Nanoseconds
from wattribute.node.meter.amdsmi_device import AmdDevice
from wattribute.node.meter.amdsmi_library import AmdSmiLibrary, AmdSmiRefused, Handle, opened
from wattribute.node.meter.backend import MeterBackend
from wattribute.node.settings import NodeSettings

_PAUSE_NS: Final = 60 * NANOSECONDS_PER_SECOND
"""Before lost devices are looked for again."""


class AmdSmiMeter:
    """All AMD boards that ROCm shows; one that fails costs itself alone.

    Partitions of a board (MI300) count as the board: its energy is told once.
    """

    name = "amdsmi"

    def __init__(self, rocm: Path) -> None:
        """Find the devices of the ROCm in a folder.

        Raises:
            MeterAbsent: no library, no driver or no device.
            MeterDenied: the package amdsmi is not installed, or the driver may not be used.
            MeterFailed: the package does not fit the library, or no device answers.
        """
        self._rocm = rocm
        self._devices: dict[str, AmdDevice] = {}
        self._unseen = ""
        self._last_ns: Nanoseconds | None = None
        self._due_ns: int | None = None
        self._library: AmdSmiLibrary | None = opened(rocm)
        try:
            self._look(self._library)
            self._check()
        except BaseException:
            self.close()
            raise

    @property
    def zones(self) -> tuple[Zone, ...]:
        """One per board that is there."""
        return tuple(device.zone for device in self._devices.values() if not device.lost)

    @property
    def problems(self) -> tuple[str, ...]:
        """What was wrong in the last read, one line each."""
        lines = (line for device in self._devices.values() for line in device.problems)
        return (*filter(None, (self._unseen,)), *lines)

    @property
    def notes(self) -> tuple[str, ...]:
        """Say how each device is measured; devices alike are one line."""
        kinds = Tally(device.note for device in self._devices.values() if not device.lost)
        return tuple(f"{count} x {note}" for note, count in kinds.items())

    def read(self, now_ns: Nanoseconds) -> tuple[Reading, ...]:
        """Energy or power of every board that answers.

        Raises:
            MeterFailed: none does.
        """
        self._look_again(now_ns)
        readings = [
            Reading(device.zone, now_ns, value)
            for device in self._devices.values()
            if (value := self._energy(device)) is not None
        ]
        if not readings:
            raise MeterFailed(f"amdsmi: no device answers: {next(iter(self.problems), 'none')}")
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
            state, users = device.use(self._library, elapsed_ns)
            if not device.lost:
                rows += [(len(states), pid, *amounts) for pid, amounts in users.items()]
                states.append(state)
        if before is None:
            return None
        table = np.array(rows, np.int64).reshape(-1, 4)
        place, pid, busy_ns, memory_bytes = (table[:, n].copy() for n in range(4))
        return GpuUsage(before, now_ns, tuple(states), place, pid, busy_ns, memory_bytes)

    def close(self) -> None:
        """Let go of the driver."""
        if self._library is not None:
            self._library.close()
            self._library = None

    def _energy(self, device: AmdDevice) -> Counter | Gauge | None:
        if self._library is None or device.lost:
            return None
        return device.energy(self._library)

    def _check(self) -> None:
        if not self._devices and not self._unseen:
            raise MeterAbsent("amdsmi: the driver shows no device")
        if not any(self._energy(device) for device in self._devices.values()):
            raise MeterFailed(f"amdsmi: no device tells energy or power: {self.problems[0]}")

    def _look(self, library: AmdSmiLibrary) -> None:
        """Make the devices those that are there now; who was known before keeps its place."""
        boards: dict[str, list[Handle]] = {}
        unseen = []
        try:
            for address, handle in library.devices():
                if isinstance(address, AmdSmiRefused):
                    unseen.append(f"{address}; it is looked for again")
                    continue
                board = address.rpartition(".")[0] + ".0"
                boards.setdefault(board, []).append(handle)
        except AmdSmiRefused as refused:
            raise MeterFailed(f"amdsmi: {refused}") from refused
        for index, (address, handles) in enumerate(boards.items()):
            device = self._devices.get(address)
            if device is None:
                device = self._devices[address] = AmdDevice(address)
            device.found(library, index, handles)
        for address in self._devices.keys() - boards.keys():
            self._devices[address].lost = True
        self._unseen = "; ".join(unseen)

    def _look_again(self, now_ns: int) -> None:
        """Open the library anew, when a device is lost and the time has come."""
        is_lost = self._library is None or any(device.lost for device in self._devices.values())
        if not is_lost and not self._unseen:
            self._due_ns = None
            return
        if self._due_ns is None:
            self._due_ns = now_ns + _PAUSE_NS
        if now_ns < self._due_ns:
            return
        self._due_ns = now_ns + _PAUSE_NS
        self.close()
        try:
            self._library = opened(self._rocm)
            self._look(self._library)
        except MeterError as error:
            self._unseen = str(error)


def _open(settings: NodeSettings, _covered: frozenset[str]) -> AmdSmiMeter:
    return AmdSmiMeter(Path(settings.meter.rocm))


BACKEND = MeterBackend(
    name=AmdSmiMeter.name,
    open=_open,
    sees="boards of AMD GPUs, and who used them",
    kinds=frozenset({"gpu"}),
    sources=frozenset({"amdsmi"}),
    form="either",
)
