"""Processes that have DRM devices open: their part of a FakeProcfs' folder."""

import shutil
from pathlib import Path
from typing import Final

_FIRST_FD: Final = 10


class FakeDrm:
    """Open files of ``/dev/dri`` in a folder that stands for /proc."""

    def __init__(self, procfs: Path) -> None:
        """Use a folder, in which there may be processes already."""
        self._procfs = procfs
        procfs.mkdir(parents=True, exist_ok=True)

    def idle(self, pid: int, files: int = 3) -> None:
        """A process without any device."""
        for fd in range(files):
            self._link(pid, fd, "/dev/null", "pos:\t0\n")

    def client(
        self, pid: int, device: str, number: int, *, fd: int = _FIRST_FD, **keys: object
    ) -> None:
        """A process has a device open; again: its counters go up.

        Args:
            pid: of the process.
            device: PCI address.
            number: of the client: the same in two processes is a file that they share.
            fd: of the open file.
            keys: what else fdinfo says, without ``drm-``; ``_`` stands for ``-``:
                ``engine_render="5000 ns"``, ``cycles_rcs=10``, ``resident_vram0="4 KiB"``.
        """
        keys_and_values = {"driver": "fake", "pdev": device, "client-id": number, **keys}
        lines = [f"drm-{key.replace('_', '-')}:\t{value}" for key, value in keys_and_values.items()]
        self._link(pid, fd, "/dev/dri/renderD128", "\n".join(["pos:\t0", *lines]) + "\n")

    def end(self, pid: int) -> None:
        """A process has ended."""
        shutil.rmtree(self._procfs / str(pid))

    def _link(self, pid: int, fd: int, target: str, text: str) -> None:
        folder = self._procfs / str(pid)
        for name in ("fd", "fdinfo"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        link = folder / "fd" / str(fd)
        if not link.is_symlink():
            link.symlink_to(target)
        (folder / "fdinfo" / str(fd)).write_text(text)
