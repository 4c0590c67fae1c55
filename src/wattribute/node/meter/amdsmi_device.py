"""One AMD board: its energy in the best way that it has, and who used it."""

from collections.abc import Callable, Sequence
from typing import Final, Literal, TypeVar

from wattribute.core.records import Counter, Gauge, GpuState, Zone
from wattribute.core.units import MICROJOULES_PER_JOULE, Microjoules, Microwatts
from wattribute.node.meter.amdsmi_library import AmdSmiLibrary, AmdSmiRefused, Handle, User

EnergyForm = Literal["counter", "average", "power"]
T = TypeVar("T")

_ENERGY_WORDS: Final[dict[EnergyForm, str]] = {
    "counter": "energy counter",
    "average": "power, mean of the sensor's own window",
    "power": "power now",
}


class AmdDevice:
    """One board; a call that fails is noted, and costs only what it would have told."""

    def __init__(self, address: str) -> None:
        """``address``: on the PCI bus, with function 0; ``found`` comes next."""
        self.zone = Zone("gpu", address, "amdsmi")
        self.lost = False
        self._index = 0
        self._handles: list[Handle] = []
        self._name, self._units = "AMD GPU", 0
        self._form: EnergyForm | None = None
        self._engine_ns: dict[int, int] | None = None
        """By pid, at the last read; None: there was none."""
        self._failures = 0
        self._energy_problem = self._use_problem = ""

    def found(self, library: AmdSmiLibrary, index: int, handles: Sequence[Handle]) -> None:
        """It is there, under these handles: one for each of its partitions."""
        if self.lost:
            self._form, self._engine_ns = None, None
        self._index, self._handles, self.lost = index, list(handles), False
        names = self._asked(lambda: [library.name(handle) for handle in self._handles])
        if names:
            self._name, self._units = names[0][0], sum(units for _, units in names)

    @property
    def problems(self) -> tuple[str, ...]:
        """What was wrong with its last readings."""
        return tuple(filter(None, (self._energy_problem, self._use_problem)))

    @property
    def note(self) -> str:
        """What it is, and how it is measured."""
        energy = _ENERGY_WORDS[self._form or "power"]
        return f"{self._name}: {energy}, shared by engines' time and compute units occupied"

    def energy(self, library: AmdSmiLibrary) -> Counter | Gauge | None:
        """Its counter or power; None: it was refused, and ``problems`` say why."""
        self._energy_problem = ""
        board = self._handles[0]
        try:
            if self._form in (None, "counter"):
                try:
                    counter = Counter(Microjoules(library.energy_uj(board)), None)
                except AmdSmiRefused as refused:
                    if self._form == "counter" or not refused.unsupported:
                        raise
                else:
                    self._form = "counter"
                    return counter
            watts, averaged = library.power_w(board)
        except AmdSmiRefused as refused:
            self._energy_problem = self._failed(refused)
            return None
        self._form = "average" if averaged else "power"
        return Gauge(Microwatts(watts * MICROJOULES_PER_JOULE), averaged=averaged)

    def use(
        self, library: AmdSmiLibrary, elapsed_ns: int
    ) -> tuple[GpuState, dict[int, tuple[int, int]]]:
        """Its state, and (busy_ns, memory_bytes) by pid.

        Args:
            library: AMD SMI.
            elapsed_ns: since the last call; 0 the first time, when nothing was used yet.
        """
        self._use_problem = ""
        users = self._users(library)
        before, self._engine_ns = self._engine_ns, {u.pid: u.engine_ns for u in users.values()}
        use_of_pid = {}
        for user in users.values():
            busy_ns = 0
            if elapsed_ns and before is not None:
                on_engines_ns = user.engine_ns - before.get(user.pid, 0)
                computing_ns = user.compute_units * elapsed_ns // max(self._units, 1)
                busy_ns = min(max(on_engines_ns, computing_ns, 0), elapsed_ns)
            use_of_pid[user.pid] = (busy_ns, user.memory_bytes)
        return self._state(library, use_of_pid, elapsed_ns), use_of_pid

    def _users(self, library: AmdSmiLibrary) -> dict[int, User]:
        """By pid; a process on several partitions is one."""
        users: dict[int, User] = {}
        for handle in self._handles:
            for user in self._asked(lambda handle=handle: library.users(handle)) or ():  # type: ignore[misc]
                user_before = users.get(user.pid)
                if user_before is not None:
                    user = user._replace(  # noqa: PLW2901 - the sum of both
                        memory_bytes=user.memory_bytes + user_before.memory_bytes,
                        engine_ns=max(user.engine_ns, user_before.engine_ns),
                        compute_units=user.compute_units + user_before.compute_units,
                    )
                users[user.pid] = user
        return users

    def _state(
        self, library: AmdSmiLibrary, use_of_pid: dict[int, tuple[int, int]], elapsed_ns: int
    ) -> GpuState:
        board = self._handles[0]
        busy_ns = sum(ns for ns, _ in use_of_pid.values())
        utilisation = min(busy_ns / max(elapsed_ns, 1), 1.0)
        if (percent := self._asked(lambda: library.busy_percent(board))) is not None:
            utilisation = max(utilisation, percent / 100)
        used_bytes, total_bytes = self._asked(lambda: library.memory(board)) or (0, 0)
        return GpuState(
            device=self.zone.id,
            index=self._index,
            name=self._name,
            vendor="amd",
            energy=self._form or "power",
            activity="engine" if busy_ns else "memory" if use_of_pid else "none",
            utilisation=utilisation,
            memory_used_bytes=used_bytes,
            memory_total_bytes=total_bytes,
            instances=0,
            failures=self._failures,
            message="; ".join(self.problems),
            names={self.zone.id: 1},
        )

    def _asked(self, ask: Callable[[], T]) -> T | None:
        """An answer; None where it is refused, which is noted unless the device has no such."""
        try:
            return ask()
        except AmdSmiRefused as refused:
            if not refused.unsupported:
                self._use_problem = self._failed(refused)
            return None

    def _failed(self, refused: AmdSmiRefused) -> str:
        self._failures += 1
        self.lost = self.lost or refused.lost
        again = "; it is looked for again" if refused.lost else ""
        return f"gpu {self._index} ({self.zone.id}): {refused}{again}"
