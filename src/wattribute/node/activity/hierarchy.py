"""Find the cgroup hierarchies below a root, and decide what each is read for."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Accounting = Literal["v2", "cpuacct", "none"]


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """The folders and files in which CPU time and memory are counted."""

    accounting: Accounting
    """The hierarchy whose inodes are the ids of cgroups: ``v2`` where the unified hierarchy is the
    only one, ``cpuacct`` on v1 and hybrid machines, ``none`` where no CPU time is counted."""
    root: str
    """Root of the folders with CPU time."""
    cpu_file: str
    memory_root: str
    """Root of the folders with memory, which have the same paths; "": memory is not counted."""
    memory_file: str


def find_hierarchy(root: Path, packages: int) -> Hierarchy:
    """Find the hierarchies that are mounted at or below a root.

    cgroup v2 has ``cgroup.controllers`` at its root. v1 has one mount per
    controller (``cpuacct``, or ``cpu,cpuacct`` with links), and in a hybrid the
    empty v2 hierarchy beside them at ``unified``
    (Documentation/admin-guide/cgroup-v1/cpuacct.rst, cgroup-v2.rst).

    Args:
        root: ``/sys/fs/cgroup``, the folder on which it is mounted, or one hierarchy itself.
        packages: number of packages; with several, v1's counters per CPU are used.
    """
    if (root / "cgroup.controllers").exists():
        return Hierarchy("v2", str(root), "cpu.stat", str(root), "memory.current")
    for folder in _mounts(root, "cpuacct"):
        if (folder / "cpuacct.usage").exists():
            memory = [m for m in _mounts(root, "memory") if (m / "memory.usage_in_bytes").exists()]
            return Hierarchy(
                "cpuacct",
                str(folder),
                "cpuacct.usage_percpu" if packages > 1 else "cpuacct.usage",
                str(memory[0]) if memory else "",
                "memory.usage_in_bytes",
            )
    unified = root / "unified"
    if (unified / "cgroup.controllers").exists():
        return Hierarchy("v2", str(unified), "cpu.stat", str(unified), "memory.current")
    return Hierarchy("none", str(root), "", "", "")


def _mounts(root: Path, controller: str) -> Iterator[Path]:
    yield root
    yield root / controller
    try:
        names = sorted(entry.name for entry in root.iterdir())
    except OSError:
        return
    yield from (root / name for name in names if controller in name.split(","))
