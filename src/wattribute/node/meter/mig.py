"""Activity of MIG instances: how busy each is, and what part of the board it has."""

from collections.abc import Sequence
from typing import Any, Final, Literal

from wattribute.node.meter.dcgm import DcgmReader
from wattribute.node.meter.nvml_library import Handle, Holder, Instance, NvmlLibrary, NvmlRefused

Source = Literal["gpm", "dcgm", "memory"]


class MigDevice:
    """One device in MIG mode; process times are those of its instances, shared by memory.

    The driver tells no time by process in this mode. An instance's processors
    are its slices; its time counts as slices / slots of the board's.
    """

    def __init__(
        self, library: NvmlLibrary, handle: Handle, uuid: str, dcgm: DcgmReader | None
    ) -> None:
        """Ask what there is.

        Raises:
            Refused: the device does not answer.
        """
        self._library = library
        self._handle = handle
        self._uuid = uuid
        self._dcgm = dcgm
        self._gpm = library.has_gpm(handle)
        self.slots = max(library.slots(handle), 1)
        self._before: dict[int, Any] = {}
        self.instances: list[Instance] = []
        self.source: Source = "memory"
        self.problem = ""

    def busy_ns(self, holders: Sequence[Holder], elapsed_ns: int) -> dict[int, int]:
        """Time on the board's processors by pid; under pid 0 that of instances nobody is seen in.

        Empty where no activity is told: then memory decides.

        Raises:
            Refused: the device does not answer.
        """
        self.instances = self._library.instances(self._handle, self.slots)
        parts = self._activity()
        busy: dict[int, int] = {}
        for instance in self.instances:
            part = parts.get(instance.id)
            if not part:
                continue
            time_ns = round(part * min(instance.slices / self.slots, 1.0) * elapsed_ns)
            mine = [holder for holder in holders if holder.instance == instance.id]
            for pid, share_ns in _by_memory(mine, time_ns).items():
                busy[pid] = busy.get(pid, 0) + share_ns
        return busy

    def close(self) -> None:
        """Give the samples back."""
        for sample in self._before.values():
            self._library.gpm_free(sample)
        self._before.clear()

    def _activity(self) -> dict[int, float]:
        """Part of each instance that was busy, by its id."""
        self.problem = ""
        if self._gpm:
            self.source = "gpm"
            return self._by_gpm()
        if self._dcgm is not None:
            activity = self._dcgm.activity()
            parts = {
                i.id: activity[self._uuid, i.id]
                for i in self.instances
                if (self._uuid, i.id) in activity
            }
            if parts:
                self.source = "dcgm"
                return parts
            self.problem = self._dcgm.problem or "dcgm-exporter tells nothing of its MIG instances"
        self.source = "memory"
        return {}

    def _by_gpm(self) -> dict[int, float]:
        parts: dict[int, float] = {}
        before, self._before = self._before, {}
        for instance in self.instances:
            old = before.pop(instance.id, None)
            try:
                self._before[instance.id] = new = self._library.gpm_sample(
                    self._handle, instance.id
                )
                if old is not None:
                    parts[instance.id] = self._library.gpm_busy(old, new)
            except NvmlRefused as refused:
                if refused.lost:
                    raise
                self.problem = str(refused)
            finally:
                if old is not None:
                    self._library.gpm_free(old)
        for sample in before.values():  # of instances that were taken apart
            self._library.gpm_free(sample)
        return parts


_UNKNOWN: Final = 0


def _by_memory(holders: Sequence[Holder], time_ns: int) -> dict[int, int]:
    """Share an instance's time among its processes: by memory held, evenly where it is not told."""
    if not holders:
        return {_UNKNOWN: time_ns}
    total = sum(holder.memory_bytes for holder in holders)
    weights = [h.memory_bytes if total else 1 for h in holders]
    whole = sum(weights)
    shares = {h.pid: time_ns * w // whole for h, w in zip(holders, weights, strict=True)}
    shares[holders[0].pid] += time_ns - sum(shares.values())
    return shares
