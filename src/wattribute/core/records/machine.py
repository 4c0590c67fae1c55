"""A machine's description, its load, and the power that a model estimates for it."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from wattribute.core.units import Microwatts, Nanoseconds


@dataclass(frozen=True, slots=True)
class Machine:
    """A description of this machine that needs no privilege; "" and 0 mean not known."""

    vendor: str = ""
    """``GenuineIntel``, ``AuthenticAMD``, ``ARM`` ... (/proc/cpuinfo ``vendor_id``)."""
    family: int = 0
    model: int = 0
    stepping: int = 0
    cpu_name: str = ""
    """The name that the kernel shows: ``Intel(R) Xeon(R) Platinum 8259CL CPU @ 2.50GHz``."""
    architecture: str = ""
    """``x86_64``, ``aarch64``, ..."""
    packages: int = 1
    cores: int = 1
    threads: int = 1
    """Online hardware threads of all packages together."""
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
    """The cloud's instance type (``m5.large``); "" if nothing says it."""


@dataclass(frozen=True, slots=True, eq=False)
class Topology:
    """The package of each CPU.

    A package is what a RAPL package zone measures: a socket, or one die of a socket with several
    (``package-1-die-0``).
    """

    package_ids: tuple[str, ...]
    """``("0", "1")``, or ``("0-0", "0-1", ...)`` with dies; the columns of every per-package
    array, in this order."""
    package_of_cpu: NDArray[np.int64]
    """By CPU number: the index in ``package_ids``; -1 for a CPU that is not online."""
    sibling_of_cpu: NDArray[np.int64]
    """By CPU number: its first other SMT sibling; -1 without one."""

    @property
    def cpus_online(self) -> int:
        """The number of online CPUs (hardware threads)."""
        return int((self.package_of_cpu >= 0).sum())


@dataclass(frozen=True, slots=True)
class Load:
    """How busy the machine was in an interval."""

    elapsed_ns: Nanoseconds
    utilisation: float
    """(user + nice + system + irq + softirq) / (CPUs x time), 0 to 1. Guest time is counted once;
    steal and iowait are not counted."""

    @classmethod
    def from_times(
        cls, elapsed_ns: Nanoseconds, busy_ns: NDArray[np.int64], capacity_ns: NDArray[np.int64]
    ) -> Self:
        """Return the load of all packages together.

        Args:
            elapsed_ns: length of the interval.
            busy_ns: (packages,) as Usage.busy_ns.
            capacity_ns: (packages,) as Usage.capacity_ns.
        """
        busy = int(busy_ns.sum()) / max(int(capacity_ns.sum()), 1)
        return cls(elapsed_ns, min(1.0, max(0.0, busy)))


@dataclass(frozen=True, slots=True)
class EstimatorInfo:
    """The basis of the estimates of this machine, in words for people and labels."""

    model: str
    version: str
    basis: str
    """``cpu``, ``microarchitecture`` or ``class``."""
    profile: str
    """``typical`` or ``tuned``."""
    cpu: str
    """The CPU model's key in the artefact; "" if not known."""
    microarchitecture: str
    instance_type: str
    """The cloud's instance type; "" if not known."""
    share: float
    """The part of the host's threads that this machine has, 0 to 1."""
    calibrated: bool
    """Whether the model was calibrated with readings of this machine."""
    why_wide: tuple[str, ...]
    """The reasons why the band is wide; empty if it is not."""


@dataclass(frozen=True, slots=True)
class Power:
    """The power of a component, estimated by a model."""

    idle_uw: Microwatts
    dynamic_uw: Microwatts
    low_uw: Microwatts
    high_uw: Microwatts
    """The upper end of the 90 % band around idle + dynamic; ``low_uw`` is the lower end."""
    basis: str
    """What the model knew of this machine: ``cpu``, ``microarchitecture`` or ``class``."""
