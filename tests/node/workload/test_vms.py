"""Virtual machines by the command lines of their processes."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattribute.node.workload.vms import VmFinder, vm_in
from wattribute_testing import FakeProcfs

UUID = b"2f1a9d0c-6b7e-4c3d-9a8b-0c1d2e3f4a5b"


@pytest.mark.parametrize(
    ("words", "vm"),
    [
        ((b"/usr/bin/qemu-system-x86_64", b"-name", b"guest=web,debug-threads=on"), "web"),
        ((b"qemu-kvm", b"-name", b"web", b"-uuid", UUID), "web"),
        ((b"/usr/libexec/qemu-kvm", b"-name", b"process=qemu:x,guest=we,,b"), "we,b"),
        ((b"kvm", b"-uuid", UUID, b"-m", b"1024"), UUID.decode()),
        ((b"qemu-system-aarch64", b"-m", b"1"), ""),
        ((b"qemu-img", b"-name", b"web"), ""),
        ((b"qemu-system-x86_64", b"-name"), ""),
        ((b"/opt/qemu-system-x/evil", b"-name", b"web"), ""),
        ((b"kvm", b"-name", b"w\xffb"), "w\\xffb"),
    ],
)
def test_a_vm_is_known_by_its_command_line(
    tmp_path: Path, words: tuple[bytes, ...], vm: str
) -> None:
    FakeProcfs(tmp_path).start(7, b"qemu-system-x86", cmdline=words)

    assert VmFinder(tmp_path).vm_of(7, b"qemu-system-x86") == vm


def test_other_processes_are_not_looked_at(tmp_path: Path) -> None:
    FakeProcfs(tmp_path).start(7, b"bash", cmdline=(b"kvm", b"-name", b"web"))

    assert VmFinder(tmp_path).vm_of(7, b"bash") == ""


def test_a_vm_that_has_ended_has_no_name(tmp_path: Path) -> None:
    assert VmFinder(tmp_path).vm_of(7, b"kvm") == ""


@given(st.lists(st.binary(), min_size=1), st.sampled_from([b"kvm", b"x"]))
def test_any_command_line_can_be_read(words: list[bytes], program: bytes) -> None:
    vm_in([program, *words]).encode()
