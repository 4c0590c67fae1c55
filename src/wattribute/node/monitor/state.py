"""The state file: totals that survive a restart, written before the truth is shown.

A counter that came back lower would be a reset, and Prometheus would add the whole
total again; so the file is on disk before the snapshot that shows its numbers
(design section 9, rule 1).
"""

import contextlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from wattribute.core.errors import StateInvalid
from wattribute.core.files import write_whole
from wattribute.core.records import Channel, Consumer, Counter, Origin, Reading, Zone
from wattribute.core.units import Nanoseconds
from wattribute.node.monitor.groups import RowGroup
from wattribute.node.monitor.reweighed import SUMS

SCHEMA: Final = 1

Amount = Annotated[int, Meta(ge=0, le=1 << 60)]
"""Energy or time that a sum of many can hold in 64 bits (36 years, 1e12 J)."""
Moment = Annotated[int, Meta(ge=0, le=1 << 62)]


@dataclass(frozen=True, slots=True)
class SavedZone:
    """Totals of one zone."""

    zone: Zone
    origin: Origin
    dynamic_uj: Amount
    idle_uj: Amount


@dataclass(frozen=True, slots=True)
class SavedReading:
    """The last reading of an energy counter."""

    zone: Zone
    at_ns: Moment
    energy_uj: Amount
    wraps_at_uj: Amount | None
    power_seen_uw: Amount = 0
    """The highest mean power of one of the zone's intervals; 0: not known."""

    def reading(self) -> Reading:
        """As the meter gave it."""
        counter = Counter(self.energy_uj, self.wraps_at_uj)  # type: ignore[arg-type]
        return Reading(self.zone, Nanoseconds(self.at_ns), counter)


@dataclass(frozen=True, slots=True)
class SavedTotals:
    """Cumulative totals, column by column."""

    channels: list[Channel] = field(default_factory=list)
    node_uj: list[list[Amount]] = field(default_factory=list)
    idle_uj: list[Amount] = field(default_factory=list)
    unattributed_uj: list[Amount] = field(default_factory=list)
    zones: list[SavedZone] = field(default_factory=list)
    groups: list[RowGroup] = field(default_factory=list)
    consumers: list[Consumer] = field(default_factory=list)
    ended: list[bool] = field(default_factory=list)
    hold_until_ns: list[Moment] = field(default_factory=list)
    """On the monotonic clock of this boot: until then a row is published as 0."""
    cpu_ns: list[Amount] = field(default_factory=list)
    memory_byte_ns: list[Annotated[float, Meta(ge=0, le=1e27)]] = field(default_factory=list)
    energy_uj: list[list[list[Amount]]] = field(default_factory=list)
    sums_uj: dict[str, list[list[Amount]]] = field(default_factory=dict)
    """Bands, and energy by the weights not used: (rows, channels) by column; {} where the energy
    was shared by CPU time alone."""
    gpu_ns: list[Amount] = field(default_factory=list)
    vm_ids: list[str] = field(default_factory=list)
    vm_uj: list[list[list[Amount]]] = field(default_factory=list)
    process_keys: list[int] = field(default_factory=list)
    process_cpu_ns: list[Amount] = field(default_factory=list)
    process_uj: list[list[Amount]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class SavedState:
    """Everything in the file."""

    schema: int
    machine_id: str
    boot_id: str
    written_at: Moment
    """Unix time in nanoseconds."""
    floors: dict[str, dict[str, object]]
    """What each zone's floor was learned from, by ``kind/id/source``."""
    calibration: dict[str, float]
    totals: SavedTotals
    last_readings: list[SavedReading]
    weights: str = ""
    """JSON, see ``saved_weights``: a text, so that one that cannot be used costs the weights alone.
    A file of an older agent has none."""


_ENCODER = msgspec.json.Encoder()


class StateFile:
    """One file, readable by its owner alone."""

    def __init__(self, path: Path, machine_id: str, boot_id: str) -> None:
        """Where it is, and which machine and boot this is."""
        self._path = path
        self.machine_id = machine_id
        self.boot_id = boot_id

    def load(self) -> SavedState | None:
        """The saved state if it is of this machine; None if there is none yet.

        Within one boot the machine is the same, even if it goes by another name now: in a
        container without a machine id that is the pod's.

        Raises:
            StateInvalid: it cannot be read, or is another machine's, or of another schema.
        """
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StateInvalid(f"{self._path}: {error.strerror}; starting from 0") from error
        try:
            state = msgspec.json.decode(content, type=SavedState)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise StateInvalid(f"{self._path}: not a state file ({error}); from 0") from error
        if state.schema != SCHEMA:
            raise StateInvalid(f"{self._path}: schema {state.schema}, not {SCHEMA}; from 0")
        same_boot = self.boot_id and state.boot_id == self.boot_id
        if state.machine_id != self.machine_id and not same_boot:
            raise StateInvalid(f"{self._path}: of machine {state.machine_id}; from 0")
        _check_shape(self._path, state.totals)
        return state

    def save(self, state: SavedState) -> None:
        """Write the state to disk, in place of the old one.

        Raises:
            OSError: The file could not be written; the old one is still there, whole.
        """
        write_whole(self._path, _ENCODER.encode(state), 0o600)

    def confirm(self, state: SavedState) -> None:
        """Write what was loaded back, unchanged.

        Where that fails the file may be older than what was shown last (its file system is
        read-only now), and must not be used.

        Raises:
            StateInvalid: it cannot be written.
        """
        try:
            self.save(state)
        except OSError as error:
            raise StateInvalid(
                f"{self._path}: cannot be written ({error.strerror}), so it may be older than "
                "what was shown; starting from 0"
            ) from error

    def discard(self) -> None:
        """Remove the file: a restart must begin at 0 rather than below what was published."""
        with contextlib.suppress(OSError):
            self._path.unlink()


def _check_shape(path: Path, totals: SavedTotals) -> None:
    """Refuse columns of different length: numpy would say so later, and less clearly."""
    channels = len(totals.channels)
    same_length: tuple[tuple[int, tuple[list[Any], ...]], ...] = (
        (channels, (totals.node_uj, totals.idle_uj, totals.unattributed_uj)),
        (
            len(totals.groups),
            (
                totals.consumers,
                totals.ended,
                totals.cpu_ns,
                totals.memory_byte_ns,
                totals.energy_uj,
            ),
        ),
        (len(totals.vm_ids), (totals.vm_uj,)),
        (len(totals.process_keys), (totals.process_cpu_ns, totals.process_uj)),
    )
    pairs = [totals.node_uj, *totals.energy_uj, *totals.vm_uj]
    requests = [amount for consumer in totals.consumers for amount in consumer.requests.values()]
    whole = (
        all(len(column) == length for length, columns in same_length for column in columns)
        and all(len(row) == channels for row in (*totals.energy_uj, *totals.vm_uj))
        and all(len(row) == channels for row in totals.process_uj)
        and all(len(pair) == 2 for table in pairs for pair in table)
        and set(totals.sums_uj) in (set(), set(SUMS))
        and all(len(table) == len(totals.groups) for table in totals.sums_uj.values())
        and all(len(row) == channels for table in totals.sums_uj.values() for row in table)
        and len(totals.gpu_ns) in (0, len(totals.groups))
        and len(totals.hold_until_ns) in (0, len(totals.groups))
        and all(0 <= key < 1 << 64 for key in totals.process_keys)
        and all(0 <= amount < 1 << 60 for amount in requests)
    )
    if not whole:
        raise StateInvalid(f"{path}: tables that do not fit each other; starting from 0")
