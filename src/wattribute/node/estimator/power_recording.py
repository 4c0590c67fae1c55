"""A power recording: what one metered machine drew under which load, in one JSON file.

Written by ``wattribute model collect``, taken by the model server and by ``wattribute model
train``. The format is described in docs/user/power-models.md. It holds no name of host, user or
workload.
"""

from dataclasses import fields
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct

from wattribute.core.errors import DataInvalid
from wattribute.core.records import Machine

SCHEMA: Final = 1
MAX_BYTES: Final = 1 << 16
"""A recording of 11 steps in 3 scopes has 4 kB."""
QUARANTINE: Final = "QUARANTINE"
"""A file of this name marks a folder of what strangers may have posted; `wattribute model train`
takes nothing from there unless it is named."""
_MOST_POINTS: Final = 200
_LONGEST_TEXT: Final = 200
_LARGEST: Final = 1 << 50
"""Of any number of a machine: a pebibyte of memory."""

How = Literal["steps", "operation"]
Scope = Literal["wall", "pkg", "dram"]


class Point(Struct, frozen=True, kw_only=True):
    """Mean power at one load."""

    scope: Scope
    """``wall``: the whole machine by a BMC or wall meter; ``pkg``: all its CPU packages; ``dram``:
    all its memory."""
    utilisation: Annotated[float, Meta(ge=0, le=1)]
    """(user + nice + system + irq + softirq) / (CPUs x time), as measured and not as asked for."""
    watts: Annotated[float, Meta(gt=0, le=100_000)]
    seconds: Annotated[float, Meta(gt=0, le=10_000_000)]
    """Time over which both were averaged."""


class Recording(Struct, frozen=True, kw_only=True):
    """The whole file. Unknown keys are left out: later versions of a schema only add."""

    schema: int
    version: Annotated[str, Meta(max_length=64)]
    """Of the wattribute that recorded."""
    recorded_at: Annotated[str, Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")]
    """When it ended, UTC."""
    how: How
    """``steps``: load made at set levels; ``operation``: whatever ran."""
    machine_digest: Annotated[str, Meta(pattern=r"^[0-9a-f]{16}$")]
    """Begin of a keyed digest of the machine's id: two recordings of one machine count as one."""
    machine: Machine
    tdp_watts: Annotated[float, Meta(ge=0, le=5000)] = 0.0
    """Of one CPU package, as the settings or the package's own limit say; 0: not known."""
    points: Annotated[list[Point], Meta(min_length=1, max_length=_MOST_POINTS)]


def encode_recording(recording: Recording) -> bytes:
    """The file's bytes."""
    return msgspec.json.format(msgspec.json.encode(recording), indent=1) + b"\n"


def decode_recording(data: bytes, name: str = "the recording") -> Recording:
    """Read and check a recording.

    Args:
        data: the file's bytes, from wherever they came.
        name: what to call it in messages.

    Raises:
        DataInvalid: it is none, or of a machine that cannot teach.
    """
    if len(data) > MAX_BYTES:
        raise DataInvalid(f"{name}: {len(data)} bytes; a recording has at most {MAX_BYTES}")
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
    """What is wrong with a machine's description; "": nothing."""
    for field in fields(machine):
        value = getattr(machine, field.name)
        if isinstance(value, str):
            if len(value) > _LONGEST_TEXT or not value.isprintable():
                return f"machine.{field.name} is not one line of {_LONGEST_TEXT} characters"
        elif not 0 <= value <= _LARGEST:
            return f"machine.{field.name} is {value}"
    if min(machine.packages, machine.cores, machine.threads) < 1:
        return "machine: needs one package, core and thread at least"
    if machine.hypervisor:
        return "of a virtual machine, whose meters do not show the host; record on bare metal"
    return ""
