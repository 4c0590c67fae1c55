"""What a machine is, what load it is under, and what a model says it draws."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wattribute.core.units import Microwatts, Nanoseconds


@dataclass(frozen=True, slots=True)
class Machine:
    """What this machine is, as far as it can be read without privilege; "" or 0: not known."""

    vendor: str = ""
    """``GenuineIntel``, ``AuthenticAMD``, ``ARM`` ... (/proc/cpuinfo ``vendor_id``)."""
    family: int = 0
    model: int = 0
    stepping: int = 0
    cpu_name: str = ""
    """As the kernel shows it: ``Intel(R) Xeon(R) Platinum 8259CL CPU @ 2.50GHz``."""
    architecture: str = ""
    """``x86_64``, ``aarch64``, ..."""
    packages: int = 1
    cores: int = 1
    threads: int = 1
    """Of all packages together, online ones."""
    max_mhz: int = 0
    memory_bytes: int = 0
    hypervisor: str = ""
    """``kvm``, ``xen``, ``vmware``, ``hyperv``, or ``unknown``; "" on bare metal."""
    dmi_vendor: str = ""
    dmi_product: str = ""
    """/sys/class/dmi/id/{sys_vendor,product_name}; a cloud's instance type on AWS Nitro."""
    base_mhz: int = 0
    chassis_type: int = 0
    """SMBIOS type 3: 23 is a rack mount, 28 a blade; 0 on many virtual machines."""
    instance_type: str = ""
    """Of the cloud (``m5.large``); "" where nothing told it."""


@dataclass(frozen=True, slots=True, eq=False)
class Topology:
    """Which CPU is in which package.

    A "package" is what one RAPL package zone feeds: a socket, or one die of it
    where a socket has several (``package-1-die-0``).
    """

    package_ids: tuple[str, ...]
    """``("0", "1")``, or ``("0-0", "0-1", ...)`` with dies; the columns of every per-package
    array, in this order."""
    package_of_cpu: NDArray[np.int64]
    """CPU number to index into package_ids; -1 for a CPU that is not online."""
    sibling_of_cpu: NDArray[np.int64]
    """CPU number to its (first other) SMT sibling, -1 without one."""

    @property
    def cpus_online(self) -> int:
        """Number of online CPUs (hardware threads)."""
        return int((self.package_of_cpu >= 0).sum())


@dataclass(frozen=True, slots=True)
class Load:
    """What the machine did since the reading before."""

    elapsed_ns: Nanoseconds
    utilisation: float
    """(user + nice + system + irq + softirq) / (CPUs x time), 0 to 1; guest time not twice, steal
    and iowait not at all."""


@dataclass(frozen=True, slots=True)
class EstimatorInfo:
    """What the estimates of this machine rest on, in words for people and labels."""

    model: str
    version: str
    basis: str
    """``cpu``, ``microarchitecture`` or ``class``."""
    profile: str
    """``typical`` or ``tuned``."""
    cpu: str
    """The CPU model's key in the artefact; "" not known."""
    microarchitecture: str
    instance_type: str
    """Of the cloud; "" not known."""
    share: float
    """Part of the host's threads that this machine is."""
    calibrated: bool
    """Whether readings of this machine moved the model."""
    why_wide: tuple[str, ...]
    """Why the band is wide, one reason each; empty when it is not."""


@dataclass(frozen=True, slots=True)
class Power:
    """What a model says that one component draws."""

    idle_uw: Microwatts
    dynamic_uw: Microwatts
    low_uw: Microwatts
    high_uw: Microwatts
    """90 % band around idle + dynamic."""
    basis: str
    """``cpu``, ``microarchitecture`` or ``class``: what the model knew."""
