"""Thermal design power by CPU identity: what a power estimate starts from.

Figures: ark.intel.com and amd.com (product pages), TechPowerUp's CPU database
for parts made for one cloud (they have no product page); read in 2026.
"""

import re
from dataclasses import dataclass
from typing import Final

from wattribute.records import Machine

_NAMED: Final = {
    r"E5-2676 v3": (120, 12),
    r"E5-2673 v4": (135, 20),
    r"E5-2686 v4": (145, 18),
    r"8124M": (240, 18),
    r"8151": (240, 12),
    r"8175M": (240, 24),
    r"8259CL": (210, 24),
    r"8272CL": (195, 26),
    r"8275CL": (240, 24),
    r"8252C": (240, 12),
    r"8370C": (270, 32),
    r"8375C": (300, 32),
    r"8473C": (350, 52),
    r"8488C": (385, 48),
    r"EPYC 7571": (200, 32),
    r"EPYC 7B12": (240, 64),
    r"EPYC 7R32": (280, 48),
    r"EPYC 7V12": (240, 64),
    r"EPYC 7R13": (225, 48),
    r"EPYC 7V13": (240, 64),
    r"EPYC 7763": (280, 64),
    r"EPYC 9R14": (280, 96),
}
"""Word in the CPU's name -> TDP in watts and cores of one package; two threads per core in all."""

_INTEL = "GenuineIntel"
_AMD = "AuthenticAMD"
_ARM = "ARM"

_MICROARCHITECTURES: Final = (
    # vendor, family, models, watts per core of (the median server part, the large parts that
    # clouds use), threads per core
    (_INTEL, 6, (45, 62), (10.0, 10.0), 2),  # Sandy Bridge, Ivy Bridge
    (_INTEL, 6, (63, 79, 86), (8.0, 8.0), 2),  # Haswell, Broadwell
    (_INTEL, 6, (85,), (7.8, 9.0), 2),  # Skylake-SP, Cascade Lake
    (_INTEL, 6, (106, 108), (7.5, 9.0), 2),  # Ice Lake
    (_INTEL, 6, (143, 207), (7.7, 7.0), 2),  # Sapphire Rapids, Emerald Rapids
    (_INTEL, 6, (173, 174), (6.5, 4.5), 2),  # Granite Rapids
    (_INTEL, 6, (175,), (2.3, 2.3), 1),  # Sierra Forest
    (_AMD, 23, range(16), (6.7, 6.2), 2),  # Zen
    (_AMD, 23, range(48, 64), (6.4, 4.0), 2),  # Zen 2
    (_AMD, 25, range(16), (8.1, 4.4), 2),  # Zen 3
    (_AMD, 25, range(16, 32), (7.8, 3.5), 2),  # Zen 4
    (_AMD, 25, range(160, 176), (4.2, 2.8), 2),  # Zen 4c
    (_AMD, 26, range(16), (7.3, 3.9), 2),  # Zen 5
    (_AMD, 26, range(16, 32), (2.7, 2.6), 2),  # Zen 5c
    (_ARM, 8, (0xD0C,), (2.4, 2.3), 1),  # Neoverse N1: Altra; Graviton2
    (_ARM, 8, (0xD40,), (3.4, 3.4), 1),  # Neoverse V1: Graviton3
    (_ARM, 8, (0xD4F,), (3.1, 3.1), 1),  # Neoverse V2: Graviton4
)

_CLASS_ARM: Final[tuple[tuple[float, float], int]] = ((3.0, 3.0), 1)
_CLASS_OTHER: Final[tuple[tuple[float, float], int]] = ((8.0, 6.0), 2)
"""For a CPU of which nothing else is known."""


@dataclass(frozen=True, slots=True)
class Tdp:
    """Thermal design power of all that a machine has of its CPUs."""

    watts: float
    told: bool
    """The package's own figure (a name in the table, or the settings), not one by cores."""
    basis: str
    """``cpu``, ``microarchitecture`` or ``class``."""


def tdp_of(machine: Machine, given_watts: float = 0.0) -> Tdp:
    """Return a machine's TDP; of a virtual machine: its threads' share of a host of that CPU.

    Args:
        machine: what is known of it.
        given_watts: TDP of one package, from the settings; 0: not given.
    """
    named = next(
        (n for word, n in _NAMED.items() if re.search(rf"\b{word}\b", machine.cpu_name)), None
    )
    if named or given_watts:
        table_watts, cores = named or (0, 0)
        # without the host's size, what is given is taken for the packages that the guest sees
        whole = not machine.hypervisor or not cores
        share = machine.packages if whole else machine.threads / (2 * cores)
        return Tdp((given_watts or table_watts) * share, told=True, basis="cpu")
    per_core, threads_per_core, basis = _by_cores(machine)
    if machine.hypervisor:
        return Tdp(machine.threads / threads_per_core * per_core[1], told=False, basis=basis)
    return Tdp(machine.cores * per_core[0], told=False, basis=basis)


def _by_cores(machine: Machine) -> tuple[tuple[float, float], int, str]:
    for vendor, family, models, watts, threads in _MICROARCHITECTURES:
        if (vendor, family) == (machine.vendor, machine.family) and machine.model in models:
            return watts, threads, "microarchitecture"
    return *(_CLASS_ARM if machine.architecture == "aarch64" else _CLASS_OTHER), "class"
