import ctypes
import shutil
import struct
from pathlib import Path
from types import ModuleType

import pytest
from tools import build_bpf

from wattribute.node.activity.bpf import syscall
from wattribute.node.activity.bpf.load import Programs
from wattribute.node.activity.bpf.spec import parse, shipped

ROOT = Path(__file__).parents[4]
NAMES = ("cycles", "folders", "tasks")


@pytest.fixture(scope="module")
def builder() -> ModuleType:
    return build_bpf


@pytest.fixture(scope="module")
def clang() -> None:
    if not shutil.which("clang"):
        pytest.skip("clang is not installed")
    if not Path("/usr/include/bpf/bpf_helpers.h").exists():
        pytest.skip("libbpf's headers are not installed (libbpf-dev)")


def source(name: str) -> Path:
    return ROOT / f"src/wattribute/node/activity/bpf/{name}.bpf.c"


def test_every_program_is_shipped() -> None:
    folder = ROOT / "src/wattribute/node/activity/bpf"
    assert sorted(p.name.split(".")[0] for p in folder.glob("*.bpf.c")) == list(NAMES)
    assert sorted(p.name.split(".")[0] for p in folder.glob("*.bpf.json")) == list(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_the_shipped_program_was_built_from_these_sources(builder: ModuleType, name: str) -> None:
    tree = builder.json.loads(source(name).with_suffix(".json").read_text())
    assert tree["sources_sha256"] == builder.source_hash(source(name))


def skip_with_another_compiler(builder: ModuleType, name: str) -> None:
    made_by = builder.json.loads(source(name).with_suffix(".json").read_text())["compiler"]
    if made_by != builder.compiler():
        pytest.skip(f"shipped by {made_by}, here is {builder.compiler()}")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.usefixtures("clang")
def test_the_shipped_program_is_what_clang_makes(builder: ModuleType, name: str) -> None:
    shipped_file = source(name).with_suffix(".json")
    skip_with_another_compiler(builder, name)
    assert shipped_file.read_text() == builder.build(source(name))
    assert builder.stale(source(name), shipped_file) == ""


@pytest.mark.usefixtures("clang")
def test_a_change_of_the_source_makes_the_shipped_program_stale(
    builder: ModuleType, tmp_path: Path
) -> None:
    for file in source("folders").parent.glob("*.h"):
        shutil.copy(file, tmp_path)
    changed = tmp_path / "folders.bpf.c"
    changed.write_text(source("folders").read_text() + "\n/* and */\n")
    assert "other sources" in builder.stale(changed, source("folders").with_suffix(".json"))


def test_shipped_programs_name_no_path_of_the_machine_that_built_them() -> None:
    for name in NAMES:
        text = source(name).with_suffix(".json").read_text()
        assert "/home" not in text
        assert "/usr" not in text
        assert len(text) < 20_000


@pytest.mark.bpf
@pytest.mark.usefixtures("bpf", "clang")
@pytest.mark.parametrize("name", NAMES)
def test_the_kernel_gets_the_same_instructions_as_from_libbpf(
    builder: ModuleType, libbpf: ctypes.CDLL, tmp_path: Path, name: str
) -> None:
    skip_with_another_compiler(builder, name)
    blob = builder.compile_source(source(name))
    (tmp_path / "program.o").write_bytes(blob)
    ours = Programs(parse(builder.spec_of(blob)), {}, (5, 8))
    theirs = libbpf_load(libbpf, tmp_path / "program.o")
    try:
        for program in shipped(name).programs:
            code = instructions(theirs[program.name])
            assert len(code) > 8
            assert instructions(ours.fd[program.name]) == code, program.name
    finally:
        ours.close()
        theirs["close"]()


def libbpf_load(libbpf: ctypes.CDLL, file: Path) -> dict:
    """Descriptors of the programs by name, and how to close them."""
    pointer, text = ctypes.c_void_p, ctypes.c_char_p
    for function, result, arguments in (
        ("bpf_object__open_file", pointer, [text, pointer]),
        ("bpf_object__load", ctypes.c_int, [pointer]),
        ("bpf_object__close", None, [pointer]),
        ("bpf_object__next_program", pointer, [pointer, pointer]),
        ("bpf_program__name", text, [pointer]),
        ("bpf_program__fd", ctypes.c_int, [pointer]),
        ("libbpf_set_print", pointer, [pointer]),
    ):
        getattr(libbpf, function).restype = result
        getattr(libbpf, function).argtypes = arguments
    libbpf.libbpf_set_print(None)
    opened = libbpf.bpf_object__open_file(bytes(file), None)
    assert opened
    assert libbpf.bpf_object__load(opened) == 0
    found: dict = {"close": lambda: libbpf.bpf_object__close(opened)}
    program = libbpf.bpf_object__next_program(opened, None)
    while program:
        found[libbpf.bpf_program__name(program).decode()] = libbpf.bpf_program__fd(program)
        program = libbpf.bpf_object__next_program(opened, program)
    return found


def instructions(fd: int) -> list[tuple[int, ...]]:
    """What the verifier made of a program (struct bpf_prog_info: xlated_prog_insns)."""
    info = bytearray(208)
    _info(fd, info)
    (size,) = struct.unpack_from("<I", info, 20)
    code = ctypes.create_string_buffer(size)
    info = bytearray(208)
    struct.pack_into("<IxxxxxxxxQ", info, 20, size, ctypes.addressof(code))
    _info(fd, info)
    found = []
    for operation, registers, offset, value in struct.iter_unpack("<BBhi", code.raw):
        # The number of a map is its own; all else must be equal.
        of_map = operation == 0x18 and registers >> 4 in {1, 2, 5, 6}
        found.append((operation, registers, offset, 0 if of_map else value))
    return found


def _info(fd: int, info: bytearray) -> None:
    buffer = (ctypes.c_char * len(info)).from_buffer(info)
    attr = struct.pack("<IIQ", fd, len(info), ctypes.addressof(buffer))
    syscall.bpf(syscall.OBJ_GET_INFO_BY_FD, bytearray(attr))
