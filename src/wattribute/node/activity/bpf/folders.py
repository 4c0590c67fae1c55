"""Read the paths of new cgroups, which the program of folders.bpf.c writes."""

import os
from pathlib import Path
from typing import Final

import numpy as np

from wattribute.node.activity.bpf.load import Programs
from wattribute.node.activity.bpf.maps import shared_array
from wattribute.node.activity.bpf.ring import Ring

_FOLDER: Final = np.dtype([("id", "<u8"), ("length", "<u4"), ("pad", "<u4"), ("path", "S496")])
"""``struct folder`` of folders.bpf.c."""
_WATCHED: Final = np.dtype([("hierarchy", "<u4"), ("pad", "<u4"), ("lost", "<u8")])
"""``struct watched`` of folders.bpf.c."""


class FolderNews:
    """Reports the cgroups of one hierarchy that were created since the last call."""

    def __init__(self, programs: Programs, hierarchy: int) -> None:
        """Use programs that contain folders.bpf.c, before they are attached."""
        fd, maps = programs.fd, programs.maps
        self._watched = shared_array(fd["watched"], maps["watched"], _WATCHED)
        self._watched["hierarchy"] = hierarchy
        self._ring = Ring(fd["folders"], maps["folders"].max_entries, _FOLDER)

    def drain(self) -> list[tuple[int, str]]:
        """Return (id, path from the hierarchy's root) of each new cgroup.

        Paths of 496 bytes and more are left out.
        """
        width = _FOLDER["path"].itemsize
        return [
            (int(folder["id"]), os.fsdecode(bytes(folder["path"])))
            for folder in self._ring.drain()
            if 1 < folder["length"] < width
        ]

    @property
    def dropped(self) -> int:
        """The number of cgroups that did not fit into the buffer, since the start."""
        return int(self._watched["lost"][0])


def cpuacct_hierarchy(procfs: Path) -> int:
    """Return the id of the v1 hierarchy with cpuacct, from /proc/cgroups; 0 if there is none."""
    for line in (procfs / "cgroups").read_text().splitlines():
        name, number, *_ = line.split("\t")
        if name == "cpuacct":
            return int(number)
    return 0
