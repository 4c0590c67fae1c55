"""GPUs that the kernel's own drivers measure: their boards, and the sensor of each.

Sources: Documentation/ABI/testing/sysfs-driver-intel-i915-hwmon (6.2), -xe-hwmon (6.8; energy of
the card, and of its package where the card has no sensor, labels ``card`` and ``pkg``),
Documentation/gpu/amdgpu/thermal.rst (power of discrete boards, in microwatts).
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from wattribute.core.records import Zone
from wattribute.node.meter.filemeter import Form, Sensor

_VENDORS: Final = {"i915": "intel", "xe": "intel", "amdgpu": "amd"}
"""By driver, and so whose sensors are known to be the whole board's."""
_WORDS: Final = {"intel": "Intel", "amd": "AMD"}
_SENSORS: Final = (
    ("energy1_input", Form.COUNTER),
    ("energy2_input", Form.COUNTER),
    ("power1_average", Form.AVERAGE),
    ("power1_input", Form.POWER),
)
"""Best first. A counter is 64 bits of microjoules that the driver makes of a register of 32: one
that is read at least every few minutes misses nothing."""
_CARD: Final = re.compile(r"card(\d+)")
_DISCRETE_METRICS: Final = 1
"""format_revision of amdgpu's gpu_metrics: 1 discrete boards, 2 and 3 processors with graphics,
whose energy is inside the CPU package's. Source: kgd_pp_interface.h."""


@dataclass(frozen=True, slots=True)
class Card:
    """One GPU, and where its sensor and its numbers are."""

    address: str
    """On the PCI bus, ``0000:03:00.0``."""
    number: int
    """N of cardN."""
    vendor: str
    name: str
    sensor: Sensor
    folder: Path
    """Of its device."""

    @property
    def names(self) -> tuple[str, ...]:
        """What device plugins call it."""
        return (self.address, f"card{self.number}")

    def memory(self) -> tuple[int, int]:
        """Bytes used, and bytes there are; 0 where the driver does not tell."""
        return _number(self.folder / "mem_info_vram_used"), _number(
            self.folder / "mem_info_vram_total"
        )

    def busy_percent(self) -> int | None:
        """Part of the time in which it did anything, as the driver knows; None: not told."""
        text = _text(self.folder / "gpu_busy_percent")
        return int(text) if text.isdecimal() else None


def find_cards(sysfs: Path, without: Collection[str]) -> list[Card]:
    """The boards that have a sensor of their own, in the order of their numbers.

    Args:
        sysfs: root of sysfs.
        without: drivers whose boards another meter measures.
    """
    cards: dict[str, Card] = {}
    for folder in sorted((sysfs / "class/drm").glob("card*"), key=lambda path: path.name):
        match = _CARD.fullmatch(folder.name)  # and not card0-DP-1
        device = folder / "device"
        uevent = dict(_uevent(device))
        driver, address = uevent.get("DRIVER", ""), uevent.get("PCI_SLOT_NAME", "")
        if match is None or not address or driver in without or driver not in _VENDORS:
            continue
        if driver == "amdgpu" and not _discrete(device):
            continue
        sensor = _sensor(device, driver, Zone("gpu", address, "drm"))
        if sensor is not None:
            product_name = _text(device / "product_name")
            name = (
                product_name or f"{_WORDS[_VENDORS[driver]]} GPU {uevent.get('PCI_ID', '')}".strip()
            )
            cards[address] = Card(address, int(match[1]), _VENDORS[driver], name, sensor, device)
    return sorted(cards.values(), key=lambda card: card.number)


def _sensor(device: Path, driver: str, zone: Zone) -> Sensor | None:
    """Its best sensor; of several chips the one that is the device's, not a tile's."""
    for chip in sorted((device / "hwmon").glob("hwmon*")):
        if _text(chip / "name") != driver:  # i915_gt0 is a part of i915
            continue
        for file, form in _SENSORS:
            if (chip / file).exists() and _label(chip, file) in ("", "card", "pkg", "PPT"):
                return Sensor(zone, chip / file, form)
    return None


def _label(chip: Path, file: str) -> str:
    return _text(chip / f"{file.partition('_')[0]}_label")


def _discrete(device: Path) -> bool:
    try:
        with (device / "gpu_metrics").open("rb") as file:
            header = file.read(3)  # structure_size (16 bits), format_revision
    except OSError:
        return False
    return len(header) == 3 and header[2] == _DISCRETE_METRICS


def _uevent(device: Path) -> Iterator[tuple[str, str]]:
    for line in _text(device / "uevent").splitlines():
        key, _, value = line.partition("=")
        yield key, value


def _number(path: Path) -> int:
    text = _text(path)
    return int(text) if text.isascii() and text.isdecimal() else 0


def _text(path: Path) -> str:
    """A file's text without white space around it; "" when it cannot be read."""
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""
