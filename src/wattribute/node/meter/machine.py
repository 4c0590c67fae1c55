"""What this machine is: its CPUs, its memory, its maker, and which CPU is in which package.

Nothing here raises for a file that is missing or odd: what is not known stays "" or 0.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from wattribute.core.records import Machine, Topology
from wattribute.core.units import KILOHERTZ_PER_MEGAHERTZ
from wattribute.node.meter.rapl import package_of, powercap_zones

_ARM_PARTS: Final = {
    0xD08: "Cortex-A72",
    0xD0C: "Neoverse-N1",
    0xD40: "Neoverse-V1",
    0xD49: "Neoverse-N2",
    0xD4F: "Neoverse-V2",
    0xD84: "Neoverse-V3",
    0xD8E: "Neoverse-N3",
}
"""MIDR_EL1.PartNum of Arm's own server cores. Source: arch/arm64/include/asm/cputype.h."""
_ARM = "0x41"

_CPU_FOLDER: Final = re.compile(r"cpu(\d{1,6})", re.ASCII)

_HYPERVISORS: Final = (
    ("VMware", "vmware"),
    ("Microsoft Corporation Virtual Machine", "hyperv"),
    ("Xen", "xen"),
    ("Amazon EC2", "kvm"),
    ("Google Compute Engine", "kvm"),
    ("QEMU", "kvm"),
    ("KVM", "kvm"),
    ("OpenStack", "kvm"),
    ("Alibaba Cloud", "kvm"),
    ("DigitalOcean", "kvm"),
    ("Hetzner vServer", "kvm"),
)
"""Beginning of, or word in, "sys_vendor product_name" -> hypervisor."""


def read_machine(procfs: Path, sysfs: Path) -> Machine:
    """Read what can be read without privilege."""
    blocks = [_fields(block) for block in _text(procfs / "cpuinfo").split("\n\n") if block.strip()]
    first = blocks[0] if blocks else {}
    cpus = _cpus(sysfs, procfs)
    dmi_vendor = _text(sysfs / "class/dmi/id/sys_vendor")
    dmi_product = _text(sysfs / "class/dmi/id/product_name")
    architecture = _text(procfs / "sys/kernel/arch") or _architecture(first)
    arm_part = _number(first.get("CPU part"))
    cpufreq = sysfs / "devices/system/cpu/cpu0/cpufreq"
    arm = first.get("CPU implementer") == _ARM
    return Machine(
        vendor="ARM" if arm else first.get("vendor_id", first.get("CPU implementer", "")),
        family=_number(first.get("cpu family", first.get("CPU architecture"))),
        model=arm_part or _number(first.get("model")),
        stepping=_number(first.get("stepping", first.get("CPU revision"))),
        cpu_name=first.get("model name") or first.get("cpu") or _ARM_PARTS.get(arm_part * arm, ""),
        architecture=architecture,
        packages=len({cpu.package for cpu in cpus}),
        cores=len({cpu.siblings for cpu in cpus}),
        threads=len(cpus),
        max_mhz=_number(_text(cpufreq / "cpuinfo_max_freq")) // KILOHERTZ_PER_MEGAHERTZ,
        memory_bytes=_memory_bytes(procfs),
        hypervisor=_hypervisor(first, sysfs, f"{dmi_vendor} {dmi_product}"),
        dmi_vendor=dmi_vendor,
        dmi_product=dmi_product,
        base_mhz=_number(_text(cpufreq / "base_frequency")) // KILOHERTZ_PER_MEGAHERTZ,
        chassis_type=_number(_text(sysfs / "class/dmi/id/chassis_type")),
        instance_type=dmi_product if dmi_vendor == "Amazon EC2" else "",
    )


def read_topology(sysfs: Path, procfs: Path) -> Topology:
    """Read which CPU is in which package; one package where nothing says.

    A package is what one RAPL zone feeds, so dies count exactly where RAPL's
    zones are named by die: recent kernels tell several dies of AMD's sockets,
    and of some of Intel's, that share one counter.
    """
    cpus = _cpus(sysfs, procfs)
    by_die = any(package and "-" in package for package in _rapl_packages(sysfs))
    places = [(cpu.package, cpu.die if by_die else 0) for cpu in cpus]
    packages = sorted(set(places))
    size = max(cpu.number for cpu in cpus) + 1
    package_of_cpu = np.full(size, -1, np.int64)
    sibling_of_cpu = np.full(size, -1, np.int64)
    online = {cpu.number for cpu in cpus}
    for cpu, place in zip(cpus, places, strict=True):
        package_of_cpu[cpu.number] = packages.index(place)
        siblings = [s for s in cpu.siblings if s != cpu.number and s in online]
        sibling_of_cpu[cpu.number] = siblings[0] if siblings else -1
    ids = tuple(f"{package}-{die}" if by_die else str(package) for package, die in packages)
    return Topology(ids, package_of_cpu, sibling_of_cpu)


def package_ids(sysfs: Path) -> tuple[str, ...]:
    """Ids of the packages, as Topology.package_ids has them."""
    return read_topology(sysfs, Path()).package_ids


@dataclass(frozen=True, slots=True)
class _Cpu:
    """One online CPU (hardware thread)."""

    number: int
    package: int = 0
    die: int = 0
    siblings: tuple[int, ...] = ()
    """CPUs of its core, itself included, in order."""


def _cpus(sysfs: Path, procfs: Path) -> list[_Cpu]:
    """Return the online CPUs, at least one; without a topology those that /proc/stat counts."""
    root = sysfs / "devices/system/cpu"
    online = _ranges(_text(root / "online"))
    cpus: list[_Cpu] = []
    for folder in root.glob("cpu[0-9]*"):
        match, topology = _CPU_FOLDER.fullmatch(folder.name), folder / "topology"
        if match is None or not topology.is_dir() or _text(folder / "online") == "0":
            continue
        number = int(match[1])
        if online and number not in online:
            continue
        siblings = _ranges(_text(topology / "thread_siblings_list")) or {number}
        cpus.append(
            _Cpu(
                number,
                # -1 (Arm without ACPI's PPTT): not known, so one package
                _number(_text(topology / "physical_package_id")),
                _number(_text(topology / "die_id")),
                tuple(sorted(siblings)),
            )
        )
    if not cpus:
        count = len(re.findall(r"^cpu\d", _text(procfs / "stat"), re.MULTILINE))
        cpus = [_Cpu(n, siblings=(n,)) for n in range(max(1, count))]
    return sorted(cpus, key=lambda cpu: cpu.number)


def _rapl_packages(sysfs: Path) -> list[str | None]:
    return [package_of(_text(folder / "name")) for folder in powercap_zones(sysfs)]


def _ranges(text: str) -> set[int]:
    """CPUs of a list as the kernel writes it: ``0-3,8``."""
    cpus: set[int] = set()
    for low, high in re.findall(r"(\d{1,6})(?:-(\d{1,6}))?", text):
        cpus.update(range(int(low), int(high or low) + 1))
    return cpus


def _hypervisor(cpu: dict[str, str], sysfs: Path, dmi: str) -> str:
    """Return which hypervisor this runs on; "" on bare metal.

    x86 has a flag for it that all hypervisors set. Elsewhere only firmware tells.
    """
    if "flags" in cpu and "hypervisor" not in cpu["flags"].split():
        return ""
    if _text(sysfs / "hypervisor/type") == "xen":
        return "xen"
    hypervisor = next((name for word, name in _HYPERVISORS if word in dmi), "")
    if "flags" not in cpu and ".metal" in dmi:
        return ""
    return hypervisor or ("unknown" if "flags" in cpu else "")


def _architecture(cpu: dict[str, str]) -> str:
    """Return the machine's architecture before Linux 6.1, which tells it in /proc."""
    if "CPU implementer" in cpu:
        return "aarch64"
    return "x86_64" if "flags" in cpu else os.uname().machine


def _memory_bytes(procfs: Path) -> int:
    match = re.search(r"^MemTotal:\s+(\d{1,15}) kB", _text(procfs / "meminfo"), re.MULTILINE)
    return int(match[1]) * 1024 if match else 0


def _fields(block: str) -> dict[str, str]:
    """``key : value`` lines as a dict."""
    pairs = (line.partition(":") for line in block.splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}


def _number(text: str | None) -> int:
    """Return a decimal or hexadecimal number; 0 for anything else, negative ones too."""
    match = re.fullmatch(r"0x([0-9a-fA-F]{1,8})|(\d{1,15})", text or "", re.ASCII)
    if match is None:
        return 0
    return int(match[1], 16) if match[1] else int(match[2])


def _text(path: Path) -> str:
    """Return a file's text without white space around it; "" when it cannot be read."""
    try:
        return path.read_text(errors="replace").strip()
    except (OSError, ValueError):
        return ""
