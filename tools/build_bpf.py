"""Build the BPF programs: each ``.bpf.c`` to the ``.bpf.json`` that is shipped beside it.

    python -m tools.build_bpf            # needs clang and libbpf's headers (libbpf-dev)
    python -m tools.build_bpf --check    # changes nothing; exit 1 when the shipped one is stale

The object file of clang (an ELF with BTF) is boiled down to what the loader
needs: instructions, maps, and by-name relocations. The same compiler gives the
same file, wherever and whenever it runs. With another compiler ``--check``
compares only the hash of the sources.
"""

import argparse
import hashlib
import json
import shutil
import struct
import subprocess
import sys
import tempfile
from base64 import b64encode
from pathlib import Path
from typing import Any

from wattribute.node.activity.bpf.btf import Btf, Kind
from wattribute.node.activity.bpf.spec import Relocation

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "src/wattribute/node/activity/bpf"
_EXECUTABLE = 4  # SHF_EXECINSTR
_NO_BITS = 8  # SHT_NOBITS
_FUNCTION = 2  # STT_FUNC


class Elf:
    """Sections and symbols of a 64-bit little-endian object file."""

    def __init__(self, blob: bytes) -> None:
        """Take apart the file's bytes."""
        (table,) = struct.unpack_from("<Q", blob, 40)
        count, names_at = struct.unpack_from("<HH", blob, 60)
        heads = [struct.unpack_from("<IIQQQQIIQQ", blob, table + 64 * i) for i in range(count)]
        names = blob[heads[names_at][4] :]
        self.names = [_text(names, head[0]) for head in heads]
        self.code = [bool(head[2] & _EXECUTABLE) and head[5] > 0 for head in heads]
        self.section = {
            name: b"" if head[1] == _NO_BITS else blob[head[4] : head[4] + head[5]]
            for name, head in zip(self.names, heads, strict=True)
        }
        strings = self.section[".strtab"]
        self.symbols = [
            (_text(strings, name), info, section)
            for name, info, _, section, _, _ in struct.iter_unpack(
                "<IBBHQQ", self.section[".symtab"]
            )
        ]

    def function(self, section: int) -> str:
        """The one function of a section."""
        (name,) = (
            name for name, info, at in self.symbols if at == section and info & 15 == _FUNCTION
        )
        return name


def compile_source(source: Path) -> bytes:
    """Clang's object file."""
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "program.o"
        command = ["clang", "-O2", "-g", "-Wall", "-Werror", "-target", "bpf", "-c", source.name]
        # linux/types.h needs asm/types.h, which Debian keeps in a folder per architecture.
        triple = subprocess.check_output(["clang", "-print-target-triple"], text=True).strip()
        folders = (f"/usr/include/{triple}", f"/usr/include/{triple.replace('-pc', '')}")
        command += [f"-I{include}" for include in folders if Path(include).is_dir()]
        subprocess.run([*command, "-o", str(made)], check=True, cwd=source.parent)
        return made.read_bytes()


def compiler() -> str:
    """First line of ``clang --version``."""
    return subprocess.check_output(["clang", "--version"], text=True).splitlines()[0].strip()


def source_hash(source: Path) -> str:
    """Of the program and the header that it includes."""
    header = source.parent / "kernel.h"
    return hashlib.sha256(header.read_bytes() + source.read_bytes()).hexdigest()


def spec_of(blob: bytes) -> dict[str, Any]:
    """Maps and programs of an object file, as the loader wants them."""
    elf = Elf(blob)
    btf = Btf(elf.section[".BTF"])
    maps = _maps(btf)
    relocations = _relocations(btf, elf.section[".BTF.ext"])
    programs = [
        {
            "name": elf.function(i),
            "section": name,
            "code": b64encode(elf.section[name]).decode(),
            "maps": _map_uses(elf, name, maps),
            "types": relocations.get(name, []),
        }
        for i, name in enumerate(elf.names)
        if elf.code[i]
    ]
    return {
        "license": _text(elf.section["license"], 0),
        "maps": maps,
        "programs": programs,
    }


def build(source: Path) -> str:
    """The text of the ``.bpf.json``."""
    tree = {
        "compiler": compiler(),
        "sources_sha256": source_hash(source),
        **spec_of(compile_source(source)),
    }
    return json.dumps(tree, indent=1) + "\n"


def stale(source: Path, shipped: Path) -> str:
    """Why the shipped file is not what the source gives; "" when it is."""
    if not shipped.exists():
        return "not there"
    tree = json.loads(shipped.read_text())
    if tree["sources_sha256"] != source_hash(source):
        return "built from other sources"
    if tree["compiler"] != compiler():
        print(f"{shipped.name}: built by {tree['compiler']}, here is {compiler()}: only the"
              " hash of the sources was compared")  # fmt: skip
        return ""
    return "" if shipped.read_text() == build(source) else "the source compiles to something else"


def _maps(btf: Btf) -> dict[str, dict[str, int]]:
    """The variables of section ``.maps``: each a struct of pointers that say its attributes."""
    found = {}
    for type_id in range(1, len(btf) + 1):
        section = btf.type(type_id)
        if section.kind != Kind.DATASEC or btf.name(section.name) != ".maps":
            continue
        for i in range(section.members):
            (variable_id,) = struct.unpack_from("<I", btf.blob, section.at + 12 * i)
            variable = btf.type(variable_id)
            attributes = {"type": 0, "key_size": 0, "value_size": 0, "max_entries": 0,
                          "map_flags": 0}  # fmt: skip
            for member in btf.members(btf.bare(variable.target)):
                pointed = btf.type(btf.bare(member.type_id)).target
                if member.name in ("key", "value"):
                    attributes[f"{member.name}_size"] = _size(btf, pointed)
                else:  # __uint(name, n) is a pointer to an array of n
                    attributes[member.name] = _array(btf, pointed)[1]
            found[btf.name(variable.name)] = attributes
    return found


def _size(btf: Btf, type_id: int) -> int:
    found = btf.type(btf.bare(type_id))
    if found.kind == Kind.POINTER:
        return 8
    if found.kind == Kind.ARRAY:
        element, count = _array(btf, type_id)
        return count * _size(btf, element)
    return found.target


def _array(btf: Btf, type_id: int) -> tuple[int, int]:
    """(type of an element, how many)."""
    found = btf.type(btf.bare(type_id))
    element, _, count = struct.unpack_from("<III", btf.blob, found.at)
    return element, count


def _relocations(btf: Btf, ext: bytes) -> dict[str, list[Any]]:
    """CO-RE relocations by section: [instruction, kind, type, path]."""
    (head,) = struct.unpack_from("<I", ext, 4)
    at, size = struct.unpack_from("<II", ext, 24)
    at += head
    end = at + size
    (step,) = struct.unpack_from("<I", ext, at)
    at += 4
    found: dict[str, list[Any]] = {}
    while at < end:
        section, count = struct.unpack_from("<II", ext, at)
        at += 8
        asked = found.setdefault(btf.name(section), [])
        for _ in range(count):
            offset, type_id, access, kind = struct.unpack_from("<IIII", ext, at)
            at += step
            root, path = _path(btf, btf.bare(type_id), btf.name(access), Relocation(kind))
            asked.append([offset // 8, kind, root, path])
    return found


def _path(btf: Btf, type_id: int, access: str, kind: Relocation) -> tuple[str, list[str]]:
    """An access string (``0:3:1``) by names; of a flavour (``name___old``) the kernel's name."""
    root = btf.name(btf.type(type_id).name).split("___")[0]
    first, *indexes = (int(part) for part in access.split(":"))
    if kind in (Relocation.ENUMERATOR_EXISTS, Relocation.ENUMERATOR_VALUE):
        return root, [list(btf.enumerators(type_id))[first][0]]
    if first:
        raise SystemExit(f"{root}: access {access}: elements of arrays cannot be relocated")
    path = []
    for index in indexes:
        if btf.type(type_id).kind not in (Kind.STRUCT, Kind.UNION):
            raise SystemExit(f"{root}: access {access}: elements of arrays cannot be relocated")
        member = list(btf.members(type_id))[index]
        if member.name:
            path.append(member.name)
        type_id = btf.bare(member.type_id)
    return root, path


def _map_uses(elf: Elf, section: str, maps: dict[str, Any]) -> list[Any]:
    found = []
    for offset, info in struct.iter_unpack("<QQ", elf.section.get(f".rel{section}", b"")):
        name = elf.symbols[info >> 32][0]
        if name not in maps:
            raise SystemExit(f"{section}: refers to {name}, which is no map")
        found.append([offset // 8, name])
    return found


def _text(blob: bytes, at: int) -> str:
    return blob[at : blob.index(b"\0", at)].decode()


def main() -> int:
    """Build all, or check all."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="change nothing; 1 when stale")
    check = parser.parse_args().check
    if not shutil.which("clang"):
        print("clang: not found; needs the packages clang, libbpf-dev and linux-libc-dev")
        return 2
    wrong = 0
    for source in sorted(FOLDER.glob("*.bpf.c")):
        shipped = source.with_name(source.name.removesuffix(".c") + ".json")
        if not check:
            shipped.write_text(build(source))
            print(f"{shipped.name}: {shipped.stat().st_size} bytes")
        elif why := stale(source, shipped):
            print(f"{shipped.name}: {why}; run python -m tools.build_bpf and commit")
            wrong = 1
    return wrong


if __name__ == "__main__":
    sys.exit(main())
