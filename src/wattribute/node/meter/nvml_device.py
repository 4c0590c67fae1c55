"""One NVIDIA GPU: its energy in the best way that it has, and who used it."""

from collections.abc import Callable, Sequence
from typing import Final, Literal, TypeVar

from wattribute.core.records import Counter, Gauge, GpuState, Zone
from wattribute.core.units import (
    MICROJOULES_PER_MILLIJOULE,
    MICROWATTS_PER_MILLIWATT,
    NANOSECONDS_PER_MICROSECOND,
    NANOSECONDS_PER_SECOND,
    Microjoules,
    Microwatts,
)
from wattribute.node.meter.dcgm import DcgmReader
from wattribute.node.meter.mig import MigDevice
from wattribute.node.meter.nvml_library import (
    Handle,
    Holder,
    NvmlLibrary,
    NvmlRefused,
    ProcessSample,
)
from wattribute.node.meter.nvml_samples import busy_by_pid

_MPS_SERVER: Final = "nvidia-cuda-mps"
_MOST_NAMES: Final = 1024
_SILENT_NS: Final = 2 * NANOSECONDS_PER_SECOND
"""Longer than samples are late (a sampling period is 1 s at most)."""
_UNHEARD_NS: Final = 8 * NANOSECONDS_PER_SECOND
"""A device that works so long and tells of no newer sample has an older clock than it had."""

EnergyForm = Literal["counter", "average", "power"]
T = TypeVar("T")

_ENERGY_WORDS: Final[dict[EnergyForm, str]] = {
    "counter": "energy counter",
    "average": "power, mean of a second",
    "power": "power, of its own window",
}
_ACTIVITY_WORDS: Final = {
    "sm": "time on its processors",
    "gpm": "activity of its MIG instances (GPM)",
    "dcgm": "activity of its MIG instances (dcgm-exporter)",
    "memory": "memory held, for it tells no time",
    "none": "memory held, for it tells no time",
}


class NvmlDevice:
    """One GPU; a call that fails is noted, and costs only what it would have told."""

    def __init__(self, library: NvmlLibrary, index: int, handle: Handle) -> None:
        """Ask who it is.

        Raises:
            Refused: it does not answer.
        """
        self.index = index
        self.handle = handle
        self.zone = Zone("gpu", library.uuid(handle), "nvml")
        self.lost = False
        self._name = library.name(handle)
        self._form: EnergyForm | None = None
        self._since_us = 0
        """The newest sample that was seen, on the driver's clock; 0: none."""
        self._silent_ns = 0
        """Time since then."""
        self._unheard_ns = 0
        """The last part of it, in which the device worked all the same."""
        self._seen: frozenset[ProcessSample] | None = None
        """All that was buffered at the last read, once the driver's clock was set back."""
        self._samples_told = True
        """False: this device tells no time by process."""
        self._mig: MigDevice | None = None
        self._activity = "none"
        self._servers: dict[int, bool] = {}
        self._failures = 0
        self._energy_problem = self._use_problem = ""
        self.minor = self._if_told(library.minor)
        """N of /dev/nvidiaN; None: not told."""

    @property
    def problems(self) -> tuple[str, ...]:
        """What was wrong with its last readings."""
        return tuple(filter(None, (self._energy_problem, self._use_problem)))

    @property
    def note(self) -> str:
        """What it is, and how it is measured."""
        energy = _ENERGY_WORDS[self._form or "power"]
        return f"{self._name}: {energy}, shared by {_ACTIVITY_WORDS[self._activity]}"

    def found_again(self, now: "NvmlDevice") -> None:
        """The library was opened anew: handles and numbers may have changed."""
        self.index, self.handle, self.minor = now.index, now.handle, now.minor
        self.lost = False
        self._form = None
        self._hear_anew()

    def _hear_anew(self) -> None:
        self._since_us, self._silent_ns, self._unheard_ns = 0, 0, 0
        self._seen, self._samples_told = None, True

    def forget_mig(self) -> None:
        """Give back what it holds of the library's, before that is closed."""
        if self._mig is not None:
            self._mig.close()
            self._mig = None

    def energy(self, library: NvmlLibrary) -> Counter | Gauge | None:
        """Its counter or power; None: it was refused, and ``problems`` say why."""
        self._energy_problem = ""
        try:
            if self._form is None:
                self._form = self._best_form(library)
            if self._form == "counter":
                millijoules = library.energy_mj(self.handle)
                return Counter(Microjoules(millijoules * MICROJOULES_PER_MILLIJOULE), None)
            averaged = self._form == "average"
            milliwatts = (library.average_mw if averaged else library.power_mw)(self.handle)
            return Gauge(Microwatts(milliwatts * MICROWATTS_PER_MILLIWATT), averaged=averaged)
        except NvmlRefused as refused:
            self._energy_problem = self._failed(refused)
            return None

    def use(
        self, library: NvmlLibrary, dcgm: DcgmReader | None, elapsed_ns: int
    ) -> tuple[GpuState, dict[int, tuple[int, int]]] | None:
        """Its state, and (busy_ns, memory_bytes) by pid; None: it does not answer.

        Args:
            library: NVML.
            dcgm: for MIG instances.
            elapsed_ns: since the last call; 0 the first time, when nothing was used yet.
        """
        self._use_problem = ""
        try:
            holders = self._holders(library)
            busy, activity = self._busy(library, dcgm, holders, elapsed_ns)
            use_of_pid = {pid: (busy_ns, 0) for pid, busy_ns in busy.items()}
            for holder in holders:
                busy_ns, memory_bytes = use_of_pid.get(holder.pid, (0, 0))
                use_of_pid[holder.pid] = (busy_ns, memory_bytes + holder.memory_bytes)
            if activity == "memory" and not use_of_pid:
                activity = "none"
            self._activity = activity
            return self._state(library, activity, sum(busy.values()), elapsed_ns), use_of_pid
        except NvmlRefused as refused:
            self._use_problem = self._failed(refused)
            return None

    def _failed(self, refused: NvmlRefused) -> str:
        self._failures += 1
        self.lost = self.lost or refused.lost
        again = "; it is looked for again" if refused.lost else ""
        return f"gpu {self.index} ({self.zone.id}): {refused}{again}"

    def _best_form(self, library: NvmlLibrary) -> EnergyForm:
        """A counter misses nothing; a mean over a second little.

        Power of the instant is a window of 25 ms in every 100 on some devices.
        """
        ways: tuple[tuple[EnergyForm, Callable[[Handle], int]], ...] = (
            ("counter", library.energy_mj),
            ("average", library.average_mw),
        )
        for form, ask in ways:
            try:
                ask(self.handle)
            except NvmlRefused as refused:
                if not refused.unsupported:
                    raise
            else:
                return form
        return "power"

    def _holders(self, library: NvmlLibrary) -> list[Holder]:
        try:
            return library.holders(self.handle)
        except NvmlRefused as refused:
            self._tolerate(refused)
            return []

    def _tolerate(self, refused: NvmlRefused) -> None:
        """A device that is gone ends the read; one call that fails is noted."""
        if refused.lost:
            raise refused
        if not refused.unsupported:
            self._use_problem = self._failed(refused)

    def _busy(
        self,
        library: NvmlLibrary,
        dcgm: DcgmReader | None,
        holders: Sequence[Holder],
        elapsed_ns: int,
    ) -> tuple[dict[int, int], str]:
        """Time by pid, and by what it is known. MIG mode is switched at run time."""
        if library.mig(self.handle):
            if self._mig is None:
                self._mig = MigDevice(library, self.handle, self.zone.id, dcgm)
            busy = self._mig.busy_ns(holders, elapsed_ns)
            if self._mig.problem:
                self._use_problem = f"gpu {self.index} ({self.zone.id}): {self._mig.problem}"
            return busy, self._mig.source
        if self._mig is not None:
            self.forget_mig()
            self._hear_anew()
        busy = self._sampled(library, elapsed_ns) if self._samples_told else {}
        return self._by_client(library, busy, holders), "sm" if self._samples_told else "memory"

    def _sampled(self, library: NvmlLibrary, elapsed_ns: int) -> dict[int, int]:
        """Time by pid, from the samples since the newest that was seen.

        After a long silence we ask from a little before now on: a driver that gives means
        would make them over all of it, and round them down to nothing. A device that works
        and has no newer sample had its clock set back (it is the machine's): from then on we
        ask for all that is buffered, and tell by ourselves what is new.
        """
        silent_us = max(self._silent_ns - _SILENT_NS, 0) // NANOSECONDS_PER_MICROSECOND
        since_us = self._since_us + silent_us if self._since_us and self._seen is None else 0
        try:
            samples = library.samples(self.handle, since_us)
        except NvmlRefused as refused:
            self._samples_told = not refused.unsupported
            self._tolerate(refused)
            return {}
        if self._seen is not None:
            samples, self._seen = [s for s in samples if s not in self._seen], frozenset(samples)
        elif newest_us := max((sample.at_us for sample in samples if sample.pid), default=0):
            self._since_us, self._silent_ns, self._unheard_ns = newest_us, 0, 0
        else:
            self._silent_ns += elapsed_ns
            works = bool(self._since_us) and (self._if_told(library.busy_percent) or 0) > 0
            self._unheard_ns = self._unheard_ns + elapsed_ns if works else 0
            if self._unheard_ns > _UNHEARD_NS:
                self._seen = frozenset(library.samples(self.handle, 0))
        return busy_by_pid(samples, since_us, elapsed_ns) if elapsed_ns else {}

    def _by_client(
        self, library: NvmlLibrary, busy: dict[int, int], holders: Sequence[Holder]
    ) -> dict[int, int]:
        """The time of an MPS server is its clients': by memory, evenly where that is not told."""
        clients = [holder for holder in holders if holder.mps]
        client_pids = {holder.pid for holder in clients}
        servers = [
            pid
            for pid in busy
            if clients and pid not in client_pids and self._is_server(library, pid)
        ]
        shared_ns = sum(busy.pop(pid) for pid in servers)
        total = sum(client.memory_bytes for client in clients)
        for client in clients if shared_ns else ():
            part = client.memory_bytes / total if total else 1 / len(clients)
            busy[client.pid] = busy.get(client.pid, 0) + round(shared_ns * part)
        return busy

    def _is_server(self, library: NvmlLibrary, pid: int) -> bool:
        if pid not in self._servers:
            if len(self._servers) >= _MOST_NAMES:  # pids of long ago
                self._servers.clear()
            self._servers[pid] = _MPS_SERVER in library.process_name(pid)
        return self._servers[pid]

    def _state(
        self, library: NvmlLibrary, activity: str, busy_ns: int, elapsed_ns: int
    ) -> GpuState:
        utilisation = None
        if activity in ("sm", "gpm", "dcgm") and elapsed_ns:
            utilisation = min(busy_ns / elapsed_ns, 1.0)
        elif (percent := self._if_told(library.busy_percent)) is not None:
            utilisation = min(percent / 100, 1.0)
        used_bytes, total_bytes = self._if_told(library.memory) or (0, 0)
        return GpuState(
            device=self.zone.id,
            index=self.index,
            name=self._name,
            vendor="nvidia",
            energy=self._form or "power",
            activity=activity,
            utilisation=utilisation,
            memory_used_bytes=used_bytes,
            memory_total_bytes=total_bytes,
            instances=len(self._mig.instances) if self._mig else 0,
            failures=self._failures,
            message="; ".join(self.problems),
            names=self._names(),
            slots=self._mig.slots if self._mig else 1,
        )

    def _names(self) -> dict[str, int]:
        """What device plugins call it, and the slots that each name stands for.

        NVIDIA's plugin says the UUID or the index, GKE's ``nvidia0`` and ``nvidia0/gi1``,
        NVIDIA's driver for dynamic allocation ``gpu-0``.
        """
        minor = self.index if self.minor is None else self.minor
        slots = self._mig.slots if self._mig else 1
        names = (self.zone.id, str(self.index), f"nvidia{minor}", f"gpu-{minor}")
        slots_of = dict.fromkeys(names, slots)
        for instance in self._mig.instances if self._mig else ():
            slots_of[instance.uuid] = slots_of[f"nvidia{minor}/gi{instance.id}"] = instance.slices
        return slots_of

    def _if_told(self, ask: Callable[[Handle], T]) -> T | None:
        try:
            return ask(self.handle)
        except NvmlRefused as refused:
            self._tolerate(refused)
            return None
