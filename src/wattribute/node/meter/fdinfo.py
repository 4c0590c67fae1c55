"""Who used a DRM device: /proc/PID/fdinfo of its open files, the same for every driver.

Source: Linux Documentation/gpu/drm-usage-stats.rst (drm-driver, drm-pdev, drm-client-id,
drm-engine-*, drm-engine-capacity-*, drm-cycles-*, drm-total-cycles-*, drm-resident-*).
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_NODES: Final = ("/dev/dri/", "/dev/accel/")
_UNITS: Final = {"": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
_OWN_MEMORY: Final = ("vram", "local")
"""Regions on the board (amdgpu and xe, i915), which may be numbered."""
_MEMORY: Final = ("resident", "memory", "total")
"""Best first: what is there now; amdgpu's older key for it; what was asked for."""
_LOOKS: Final = 128
"""Processes without a device that are looked at again in one tick, at most."""
_LONGEST_PAUSE: Final = 64
"""Ticks between two looks at one of them; 1, 2, 4, ... when it is young: most open a device in
their first seconds."""
_NEW_LOOKS: Final = 4096


@dataclass(frozen=True, slots=True)
class EngineTime:
    """What one client did on one class of engines, since it was opened."""

    amount: int
    """Nanoseconds, or cycles where ``total`` says of how many."""
    total: int | None
    """Cycles that went by on the engine's clock."""
    capacity: int
    """Engines of this class, which may all be busy at once."""


@dataclass(frozen=True, slots=True)
class Client:
    """One open file of a DRM device."""

    device: str
    """PCI address, ``0000:03:00.0``."""
    id: str
    engines: Mapping[str, EngineTime]
    """By class: ``render``, ``rcs``, ``gfx``, ``compute``, ..."""
    memory_bytes: int
    """On the board; 0: not told."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One client at one instant."""

    client: Client
    pids: tuple[int, ...]
    """Processes that have it open; more than one where it was inherited or passed on."""
    newborn: bool
    """It cannot be older than the last tick: none of them had it open then, or they are new."""


def parse_client(text: str) -> Client | None:
    """What a file of fdinfo says; None: it is not of a DRM device, or tells no client."""
    fields: dict[str, str] = {}
    for line in text.splitlines():
        key, colon, value = line.partition(":")
        if colon and key.startswith("drm-"):
            fields[key] = value.strip()
    device, client = fields.get("drm-pdev", ""), fields.get("drm-client-id", "")
    if not device or not client:
        return None
    return Client(device, client, _engines(fields), _memory(fields))


class Clients:
    """Finds the processes that have DRM devices open, a part of all of them each time.

    New processes are looked at first, those that have a device always, the others the
    more seldom the longer they had none.
    """

    def __init__(self, procfs: Path) -> None:
        """Look at nothing yet."""
        self._procfs = procfs
        self._tick = 0
        self._users: set[int] = set()
        self._due: dict[int, tuple[int, int]] = {}
        """Of every process that was there: the tick of its next look, and ticks to that after."""
        self._there: set[int] | None = None
        """All processes of the last tick; None: there was none."""
        self._looked: set[int] = set()
        """Those of them that were looked at."""
        self._denied: set[int] = set()

    @property
    def denied(self) -> int:
        """Processes whose open files may not be seen by us."""
        return len(self._denied)

    @property
    def blind(self) -> bool:
        """Whether we lack the right to see most of them; one or two are of a sandbox."""
        return 2 * len(self._denied) > len(self._due)

    def read(self) -> list[Seen]:
        """Every client that is open now, each once."""
        try:
            there = {int(name) for name in os.listdir(self._procfs) if name.isdecimal()}  # noqa: PTH208 - 10,000 names
        except OSError:
            return []  # no procfs: nobody is seen
        self._tick += 1
        new = there - self._due.keys()
        clients_of: dict[tuple[str, str], tuple[Client, list[int]]] = {}
        looks = self._looks(there, new)
        for pid in looks:
            clients = self._of_process(pid)
            _, pause = self._due.get(pid, (0, 0))
            is_user = clients or pid in self._users
            pause = 1 if is_user else min(max(2 * pause, 1), _LONGEST_PAUSE)
            self._due[pid] = (self._tick + pause, pause)
            (self._users.add if clients else self._users.discard)(pid)
            for client in clients:
                clients_of.setdefault((client.device, client.id), (client, []))[1].append(pid)
        newborn = self._looked if self._there is None else self._looked | (there - self._there)
        self._there, self._looked = there, set(looks)
        return [
            Seen(client, tuple(pids), newborn.issuperset(pids))
            for client, pids in clients_of.values()
        ]

    def _looks(self, there: set[int], new: set[int]) -> list[int]:
        """Whom to look at in this tick."""
        self._users &= there
        self._denied &= there
        self._due = {pid: due for pid, due in self._due.items() if pid in there}
        waiting = sorted((tick, pid) for pid, (tick, _) in self._due.items() if tick <= self._tick)
        old = [pid for _, pid in waiting if pid not in self._users]
        return [*self._users, *sorted(new, reverse=True)[:_NEW_LOOKS], *old[:_LOOKS]]

    def _of_process(self, pid: int) -> list[Client]:
        """Its clients, each once; a process that ends meanwhile has none."""
        folder = self._procfs / str(pid)
        clients_here: dict[tuple[str, str], Client] = {}
        self._denied.discard(pid)
        try:
            for fd in _drm_files(folder / "fd"):
                client = _client(folder / "fdinfo" / fd)
                if client is not None:
                    clients_here[client.device, client.id] = client
        except PermissionError:
            self._denied.add(pid)
        except OSError:
            return []
        return list(clients_here.values())


def _client(file: Path) -> Client | None:
    try:
        return parse_client(file.read_text(errors="replace"))
    except FileNotFoundError:
        return None  # closed meanwhile


def _drm_files(folder: Path) -> Iterable[str]:
    for fd in os.listdir(folder):  # noqa: PTH208 - thousands of files in every tick
        try:
            target = os.readlink(f"{folder}/{fd}")  # noqa: PTH115 - the same
        except FileNotFoundError:
            continue  # closed meanwhile
        if target.startswith(_NODES):
            yield fd


def _engines(fields: Mapping[str, str]) -> dict[str, EngineTime]:
    engines = {}
    for key, value in fields.items():
        kind, _, name = key.removeprefix("drm-").partition("-")
        if kind not in ("engine", "cycles") or name.startswith("capacity-"):
            continue
        amount = _number(value)
        total = _number(fields.get(f"drm-total-cycles-{name}", ""))
        capacity = _number(fields.get(f"drm-engine-capacity-{name}", "")) or 1
        if amount is None or (kind == "cycles" and (total is None or name in engines)):
            continue  # cycles without a clock say nothing; nanoseconds are better
        engines[name] = EngineTime(amount, total if kind == "cycles" else None, capacity)
    return engines


def _memory(fields: Mapping[str, str]) -> int:
    for kind in _MEMORY:
        prefixes = tuple(f"drm-{kind}-{region}" for region in _OWN_MEMORY)
        amounts = [_number(value) or 0 for key, value in fields.items() if key.startswith(prefixes)]
        if amounts:
            return sum(amounts)
    return 0


def _number(text: str) -> int | None:
    """A number with its unit in bytes or nanoseconds; None: it is none."""
    digits, _, unit = text.partition(" ")
    if not digits.isascii() or not digits.isdecimal() or len(digits) > 20:
        return None
    return int(digits) * _UNITS.get(unit.strip(), 1)
