"""Read and write a power recording: the power of one metered machine by load, as a JSON file.

``wattribute model collect`` writes it; the model server and ``wattribute model train`` read it.
docs/user/power-models.md describes the format. It contains no name of a host, user or workload.
"""

from dataclasses import fields
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct

from wattribute.core.errors import DataInvalid
from wattribute.core.records import Machine

SCHEMA: Final = 1
MAX_BYTES: Final = 1 << 16
"""Largest recording; one of 11 steps in 3 scopes has 4 kB."""
QUARANTINE: Final = "QUARANTINE"
"""A file of this name marks a folder with recordings that strangers may have posted. `wattribute
model train` ignores such a folder unless it is named."""
_MOST_POINTS: Final = 200
_LONGEST_TEXT: Final = 200
_LARGEST: Final = 1 << 50
"""Largest accepted number in a machine's description: a pebibyte of memory."""

How = Literal["steps", "operation"]
Scope = Literal["wall", "pkg", "dram"]


class LoadPoint(Struct, frozen=True, kw_only=True):
    """The mean power at one load."""

    scope: Scope
    """``wall``: the whole machine by a BMC or wall meter; ``pkg``: all its CPU packages; ``dram``:
    all its memory."""
    utilisation: Annotated[float, Meta(ge=0, le=1)]
    """(user + nice + system + irq + softirq) / (CPUs x time), as measured, not as set."""
    watts: Annotated[float, Meta(gt=0, le=100_000)]
    seconds: Annotated[float, Meta(gt=0, le=10_000_000)]
    """Time over which power and utilisation were averaged."""


class Recording(Struct, frozen=True, kw_only=True):
    """The whole recording. Unknown keys are ignored: later versions of a schema only add keys."""

    schema: int
    version: Annotated[str, Meta(max_length=64)]
    """Version of wattribute that wrote the recording."""
    recorded_at: Annotated[str, Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")]
    """End of the recording, UTC."""
    how: How
    """``steps``: load generated at set levels; ``operation``: the machine's normal work."""
    machine_digest: Annotated[str, Meta(pattern=r"^[0-9a-f]{16}$")]
    """Beginning of a keyed digest of the machine's id: recordings of one machine count as one."""
    machine: Machine
    tdp_watts: Annotated[float, Meta(ge=0, le=5000)] = 0.0
    """TDP of one CPU package from the settings or the package's own limit; 0: not known."""
    points: Annotated[list[LoadPoint], Meta(min_length=1, max_length=_MOST_POINTS)]


def encode_recording(recording: Recording) -> bytes:
    """Return the recording as the bytes of a file."""
    return msgspec.json.format(msgspec.json.encode(recording), indent=1) + b"\n"


def decode_recording(data: bytes, name: str = "the recording") -> Recording:
    """Decode and check a recording.

    Args:
        data: the file's bytes, from any source.
        name: the file's name in messages.

    Raises:
        DataInvalid: the bytes are not a recording, or the machine cannot be used for training.
    """
    if len(data) > MAX_BYTES:
        raise DataInvalid(
            f"{name}: too large, {len(data)} bytes; a recording has at most {MAX_BYTES}"
        )
    try:
        schema = msgspec.json.decode(data, type=_Schema).schema
        if schema != SCHEMA:
            raise DataInvalid(f"{name}: recording schema {schema}; this version reads {SCHEMA}")
        recording = msgspec.json.decode(data, type=Recording)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as exc:
        raise DataInvalid(f"{name}: not a power recording: {exc}") from exc
    if wrong := _wrong(recording.machine):
        raise DataInvalid(f"{name}: {wrong}")
    return recording


class _Schema(Struct):
    schema: int


def _wrong(machine: Machine) -> str:
    """Return what is wrong with a machine's description; "" if nothing is."""
    for field in fields(machine):
        value = getattr(machine, field.name)
        if isinstance(value, str):
            if len(value) > _LONGEST_TEXT or not value.isprintable():
                return f"machine.{field.name} is not one line of {_LONGEST_TEXT} characters"
        elif not 0 <= value <= _LARGEST:
            return f"machine.{field.name} is {value}; it must be 0 to {_LARGEST}"
    if min(machine.packages, machine.cores, machine.threads) < 1:
        return "machine: must have at least one package, core and thread"
    if machine.hypervisor:
        return (
            "recorded on a virtual machine, whose meters do not show the host; record on bare metal"
        )
    return ""
