"""Virtual machines among processes: QEMU, by its name and command line."""

import re
from itertools import pairwise
from pathlib import Path
from typing import Final

_COMM: Final = (b"qemu", b"kvm")
"""Beginnings of the names of QEMU's processes; libvirt may set ``qemu:NAME``."""
_PROGRAM: Final = re.compile(rb"qemu-system-[^/]*|qemu-kvm|kvm|qemu")
_GUEST: Final = re.compile(r"(?:^|,)guest=(?P<name>(?:[^,]|,,)*)")
_READ_BYTES: Final = 65_536


class VmFinder:
    """Says of a process which virtual machine it runs.

    Only a process whose name is like QEMU's is looked at, and the caller asks
    once per process. Nothing of a command line but the VM's id is given out.
    """

    def __init__(self, procfs: Path) -> None:
        """``procfs``: root of procfs."""
        self._procfs = procfs

    def vm_of(self, pid: int, comm: bytes) -> str:
        """The VM's name as libvirt knows it (``-name guest=NAME``), or else its ``-uuid``.

        "" if it is no VM, has neither, or has ended.
        """
        if not comm.startswith(_COMM):
            return ""
        try:
            with (self._procfs / str(pid) / "cmdline").open("rb") as file:
                words = file.read(_READ_BYTES).split(b"\0")
        except OSError:
            return ""
        return vm_in(words)


def vm_in(words: list[bytes]) -> str:
    """The id in QEMU's command line; "" if it is another program's."""
    if not _PROGRAM.fullmatch(words[0].rpartition(b"/")[2]):
        return ""
    options: dict[bytes, bytes] = {}
    for option, value in pairwise(words):
        if option in (b"-name", b"--name", b"-uuid", b"--uuid"):
            options.setdefault(option.lstrip(b"-"), value)
    name = options.get(b"name", b"").decode(errors="backslashreplace")
    if match := _GUEST.search(name):
        name = match["name"].replace(",,", ",")
    else:
        name = name.partition(",")[0]
    return name or options.get(b"uuid", b"").decode(errors="backslashreplace")
