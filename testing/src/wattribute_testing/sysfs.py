"""A sysfs in a folder: what a test machine's meters and topology are read from."""

import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Self

RAPL_RANGE_UJ = 262_143_328_850
"""max_energy_range_uj of most Intel packages: 2**32 - 1 units of 61.035 uJ."""


class FakeSysfs:
    """Writes files as the kernel lays them out; every method that adds returns the tree itself.

    Counters are written in place, never by rename: the kernel's files do not
    change their inode, and meters keep them open.
    """

    def __init__(self, root: Path) -> None:
        """Use ``root``, a folder that may be empty, in the place of /sys."""
        self.root = root
        root.mkdir(parents=True, exist_ok=True)

    def write(self, path: str, value: object) -> Self:
        """Set one attribute to a value and a newline, as the kernel shows it."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        return self.write_raw(path, f"{value}\n".encode())

    def write_raw(self, path: str, content: bytes) -> Self:
        """Set one attribute to exactly these bytes."""
        fd = os.open(self.root / path, os.O_WRONLY | os.O_CREAT, 0o644)
        try:
            os.pwrite(fd, content, 0)
            os.ftruncate(fd, len(content))
        finally:
            os.close(fd)
        return self

    def load(self, tree: Path) -> Self:
        r"""Add what a tree file lists: ``path = value`` lines, ``#`` comments.

        A backslash is as in Python: ``\n`` for a file of several lines, ``\x01`` for a byte.
        """
        for line in tree.read_text().splitlines():
            if line and not line.startswith("#"):
                path, _, value = line.partition(" = ")
                if "\\" in value:
                    value = value.encode().decode("unicode_escape")
                self.write(path.strip(), value)
        return self

    def rapl(
        self,
        folder: str,
        name: str,
        energy_uj: object = 0,
        range_uj: object = RAPL_RANGE_UJ,
    ) -> Self:
        """Add a powercap zone, e.g. ``rapl("intel-rapl:0:1", "dram")``, linked from class/powercap.

        Source: Linux Documentation/power/powercap/powercap.rst.
        """
        home = self._powercap(folder)
        self.write(f"{home}/name", name)
        self.write(f"{home}/energy_uj", energy_uj)
        self.write(f"{home}/max_energy_range_uj", range_uj)
        link = self.root / "class/powercap" / folder
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.is_symlink():
            link.symlink_to(Path("../..") / home)
        return self

    def energy(self, folder: str, energy_uj: object) -> Self:
        """Set a powercap zone's counter."""
        return self.write(f"{self._powercap(folder)}/energy_uj", energy_uj)

    def without_rapl(self, folder: str) -> Self:
        """Take a powercap zone away, as hot-unplugging its last CPU does."""
        (self.root / "class/powercap" / folder).unlink()
        home = self.root / self._powercap(folder)
        for name in ("name", "energy_uj", "max_energy_range_uj"):
            (home / name).unlink()
        if not any(home.iterdir()):
            home.rmdir()
        return self

    def hwmon(
        self, number: int, name: str, attributes: Mapping[str, object], device: str = ""
    ) -> Self:
        """Add a hardware monitoring chip.

        Args:
            number: of hwmonN.
            name: the chip's, e.g. ``nvme``.
            attributes: file names and values; ``device/power1_average`` for drivers that put
                their files there.
            device: the name of the device that the chip belongs to, e.g. ``ACPI000D:00``.

        Source: Linux Documentation/hwmon/sysfs-interface.rst.
        """
        home = f"class/hwmon/hwmon{number}"
        self.write(f"{home}/name", name)
        if device:
            target = self.root / "devices" / device
            target.mkdir(parents=True, exist_ok=True)
            (self.root / home / "device").symlink_to(target)
        for attribute, value in attributes.items():
            self.write(f"{home}/{attribute}", value)
        return self

    def cpus(
        self,
        packages: int = 1,
        cores: int = 2,
        threads: int = 2,
        dies: int = 1,
        offline: Collection[int] = (),
    ) -> Self:
        """Add CPU topology: ``cores`` per die; siblings are numbered as Linux does, last of all."""
        per_thread = packages * dies * cores
        everyone = range(per_thread * threads)
        online = [cpu for cpu in everyone if cpu not in offline]
        root = "devices/system/cpu"
        self.write(f"{root}/online", ",".join(map(str, online)))
        for cpu in everyone:
            core = cpu % per_thread
            folder = self.root / root / f"cpu{cpu}"
            folder.mkdir(parents=True, exist_ok=True)
            if cpu in offline:  # the kernel shows no topology of a CPU that is offline
                continue
            die, siblings = core // cores, range(core, len(everyone), per_thread)
            topology = f"{root}/cpu{cpu}/topology"
            self.write(f"{topology}/physical_package_id", die // dies)
            self.write(f"{topology}/die_id", die % dies)
            self.write(f"{topology}/core_id", core % cores)
            names = ",".join(str(s) for s in siblings if s not in offline)
            self.write(f"{topology}/thread_siblings_list", names)
        return self

    def dmi(self, vendor: str, product: str) -> Self:
        """Add who made the machine, and which."""
        self.write("class/dmi/id/sys_vendor", vendor)
        return self.write("class/dmi/id/product_name", product)

    @staticmethod
    def _powercap(folder: str) -> str:
        """Home of a zone: a part's folder lies in its package's."""
        control, *numbers = folder.split(":")
        parts = [":".join([control, *numbers[: n + 1]]) for n in range(len(numbers))]
        return "/".join(["devices/virtual/powercap", control, *parts])
