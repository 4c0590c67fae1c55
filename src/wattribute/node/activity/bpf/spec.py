"""Read compiled programs as they are shipped: instructions, maps and relocations by name.

``tools/build_bpf.py`` makes them from clang's object files. They are independent of the
kernel and the architecture.
"""

import json
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from importlib.resources import files
from typing import Any


class Relocation(IntEnum):
    """The fact about the running kernel's types that an instruction needs.

    Source: enum bpf_core_relo_kind, include/uapi/linux/bpf.h.
    """

    FIELD_OFFSET = 0
    FIELD_EXISTS = 2
    ENUMERATOR_EXISTS = 10
    ENUMERATOR_VALUE = 11


@dataclass(frozen=True, slots=True)
class MapSpec:
    """The description of a map to create."""

    name: str
    type: int
    key_size: int
    value_size: int
    max_entries: int
    flags: int


@dataclass(frozen=True, slots=True)
class ProgramSpec:
    """The description of a program to load."""

    name: str
    section: str
    """Where it is attached: ``tp_btf/NAME``, ``iter/NAME``, ``raw_tp/NAME``."""
    code: bytes
    maps: tuple[tuple[int, str], ...]
    """(instruction, name of the map whose descriptor it loads)"""
    types: tuple[tuple[int, Relocation, str, tuple[str, ...]], ...]
    """(instruction, kind of relocation, type, path of field names or the enumerator's name)"""


@dataclass(frozen=True, slots=True)
class Spec:
    """The result of compiling one or more ``.bpf.c`` files."""

    license: str
    maps: Mapping[str, MapSpec]
    programs: tuple[ProgramSpec, ...]


def shipped(*names: str) -> Spec:
    """Read the files ``NAME.bpf.json`` beside this module, and merge them into one spec."""
    folder = files(__package__)
    specs = [parse(json.loads((folder / f"{name}.bpf.json").read_text())) for name in names]
    return Spec(
        license=specs[0].license,
        maps={name: m for spec in specs for name, m in spec.maps.items()},
        programs=tuple(program for spec in specs for program in spec.programs),
    )


def parse(tree: Mapping[str, Any]) -> Spec:
    """Build a spec from its JSON."""
    return Spec(
        license=tree["license"],
        maps={
            name: MapSpec(
                name, m["type"], m["key_size"], m["value_size"], m["max_entries"], m["map_flags"]
            )
            for name, m in tree["maps"].items()
        },
        programs=tuple(
            ProgramSpec(
                p["name"],
                p["section"],
                b64decode(p["code"]),
                tuple((at, name) for at, name in p["maps"]),
                tuple((at, Relocation(k), root, tuple(path)) for at, k, root, path in p["types"]),
            )
            for p in tree["programs"]
        ),
    )
