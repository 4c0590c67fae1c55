"""Recognise virtual machines among processes: QEMU, by its name and command line."""

import re
from itertools import pairwise
from pathlib import Path
from typing import Final

_COMM: Final = (b"qemu", b"kvm")
"""Prefixes of the names of QEMU's processes; libvirt may set the name ``qemu:NAME``."""
_PROGRAM: Final = re.compile(rb"qemu-system-[^/]*|qemu-kvm|kvm|qemu")
_GUEST: Final = re.compile(r"(?:^|,)guest=(?P<name>(?:[^,]|,,)*)")
_READ_BYTES: Final = 65_536


class VmFinder:
    """Tells which virtual machine a process runs.

    The command line is read only for a process whose name looks like QEMU's. The caller asks
    once per process. Only the VM's id leaves this class, nothing else of a command line.
    """

    def __init__(self, procfs: Path) -> None:
        """Read below ``procfs``, the root of procfs."""
        self._procfs = procfs

    def vm_of(self, pid: int, comm: bytes) -> str:
        """Return the VM's name in libvirt (``-name guest=NAME``), or else its ``-uuid``.

        The result is "" if the process is no VM, has neither option, or has ended.
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
    """Return the VM's id in QEMU's command line; "" for another program's command line."""
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
