"""Identify the host that the models need from what a machine reports about itself.

The first of these that is available is used: the CPU's name (its model, and TDP, cores and clock
from the artefact's table), the cloud's instance type, the numbers of CPUID (the microarchitecture
and its typical CPU), or only threads and memory. ``why`` lists everything that was assumed.
"""

from dataclasses import dataclass
from math import ceil
from typing import Final

from wattribute.core.records import Machine
from wattribute.core.units import BYTES_PER_GIGABYTE, MEGAHERTZ_PER_GIGAHERTZ
from wattribute.node.estimator.artefact import Artefact, Microarchitecture
from wattribute.node.estimator.cpu_names import cpu_key, ghz_in
from wattribute.node.estimator.host import Host
from wattribute.node.estimator.instances import family_names
from wattribute.node.estimator.makers import form_of, maker_of
from wattribute.node.estimator.microarchitectures import AMD, INTEL, microarchitecture_of

_MAKES: Final = {INTEL: "intel", AMD: "amd", "ARM": "arm"}
_CLOUD_PACKAGES: Final = 2
_GB_PER_CORE: Final = 4.0


@dataclass(frozen=True, slots=True)
class Cpu:
    """One package of a CPU model; 0 and "" mean not known."""

    key: str
    microarchitecture: str
    tdp_watts: float
    cores: float
    ghz: float
    boost_ghz: float


def find_cpu(artefact: Artefact, key: str) -> Cpu | None:
    """Return the CPU with this key from the artefact's table; None if it is not there."""
    if not key or any(char in key for char in "; "):
        return None
    for name, packed in artefact.cpus.items():
        at = f";{packed}".find(f";{key} ")
        if at >= 0:
            fields = packed[at:].partition(";")[0].split(" ")
            tdp, cores, ghz, boost = (float(field) for field in fields[1:5])
            return Cpu(key, name, tdp, cores, ghz, boost)
    return None


def identify(
    artefact: Artefact, machine: Machine, *, tdp_watts: float = 0.0, instance_type: str = ""
) -> Host:
    """Identify the host of a machine.

    Args:
        artefact: the artefact with the tables.
        machine: what the machine reports about itself.
        tdp_watts: TDP of one package from the settings; 0: not set.
        instance_type: the cloud's instance type; "": not known, so the machine's is used.
    """
    instance = _instance(artefact, instance_type or machine.instance_type)
    cpu = find_cpu(artefact, cpu_key(machine.cpu_name))
    if cpu is None and instance is not None:
        cpu = find_cpu(artefact, instance.cpu)
    name = cpu.microarchitecture if cpu else ""
    name = name or microarchitecture_of(machine)
    if not name and instance is not None:
        name = instance.cpu
    typical = artefact.microarchitectures.get(name) if name else None
    basis = "class" if typical is None else "microarchitecture"
    why = []
    if cpu is None:
        cpu_name = repr(machine.cpu_name[:80]) if machine.cpu_name else "without a name"
        why.append(f"CPU model not known ({cpu_name})")
    if typical is None:
        why.append("microarchitecture not known")
        typical = artefact.microarchitectures[""]
    host = _sized(machine, cpu, typical, instance)
    if machine.hypervisor and instance is None:
        why.append("instance type not known, so the host's memory is assumed")
    if machine.hypervisor:
        why.append("a virtual machine, which sees neither its neighbours nor the host's clock")
    tdp = tdp_watts or (cpu.tdp_watts if cpu else 0.0)
    if not tdp:
        usual = (typical.tdp_watts, typical.cores)
        if machine.hypervisor:
            usual = (typical.cloud_tdp_watts, typical.cloud_cores)
        tdp = usual[0] * (host.cores / host.chips / usual[1]) ** artefact.tdp_exponent
    return Host(
        cpu_key=cpu.key if cpu else "",
        microarchitecture=name,
        make=typical.make or _MAKES.get(machine.vendor, ""),
        year=typical.year,
        tdp_watts=tdp,
        chips=host.chips,
        cores=host.cores,
        threads=host.threads,
        memory_gb=host.memory_gb,
        ghz=(cpu and cpu.ghz)
        or ghz_in(machine.cpu_name)
        or machine.base_mhz / MEGAHERTZ_PER_GIGAHERTZ
        or typical.ghz,
        boost_ghz=(cpu and cpu.boost_ghz) or machine.max_mhz / MEGAHERTZ_PER_GIGAHERTZ,
        maker="" if machine.hypervisor else maker_of(machine.dmi_vendor),
        form="" if machine.hypervisor else form_of(machine.chassis_type),
        share=min(1.0, machine.threads / host.threads) if machine.hypervisor else 1.0,
        memory_share=_memory_share(machine, host) if machine.hypervisor else 1.0,
        basis="cpu" if cpu or tdp_watts else basis,
        why=tuple(why),
    )


@dataclass(frozen=True, slots=True)
class _Size:
    chips: float
    cores: float
    threads: float
    memory_gb: float


@dataclass(frozen=True, slots=True)
class _Instance:
    cpu: str
    """A CPU key or a microarchitecture."""
    threads: float
    memory_gb: float


def _sized(
    machine: Machine,
    cpu: Cpu | None,
    typical: Microarchitecture,
    instance: _Instance | None,
) -> _Size:
    """Return the host's size: the machine's own on bare metal, an assumed one for a guest."""
    memory_gb = machine.memory_bytes / BYTES_PER_GIGABYTE
    if not machine.hypervisor:
        cores, threads = float(max(1, machine.cores)), float(max(1, machine.threads))
        return _Size(max(1, machine.packages), cores, threads, memory_gb or cores * _GB_PER_CORE)
    smt = typical.threads_per_core
    cores_each = (cpu and cpu.cores) or typical.cloud_cores
    if instance is not None and instance.threads:
        threads = max(instance.threads, machine.threads)
        chips = max(1, round(threads / (smt * cores_each)))
        return _Size(chips, threads / smt, threads, max(instance.memory_gb, memory_gb))
    chips = max(_CLOUD_PACKAGES, ceil(machine.threads / (smt * cores_each)))
    cores, threads = chips * cores_each, chips * cores_each * smt
    assumed_gb = max(cores * _GB_PER_CORE, memory_gb * threads / max(1, machine.threads))
    return _Size(chips, cores, threads, assumed_gb)


def _memory_share(machine: Machine, host: _Size) -> float:
    return min(1.0, machine.memory_bytes / BYTES_PER_GIGABYTE / host.memory_gb)


def _instance(artefact: Artefact, instance_type: str) -> _Instance | None:
    for name in family_names(instance_type):
        if packed := artefact.instances.get(name):
            cpu, threads, memory_gb = packed.split(" ")
            return _Instance(cpu, float(threads), float(memory_gb))
    return None
