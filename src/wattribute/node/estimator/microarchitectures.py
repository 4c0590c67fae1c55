"""Find a CPU's microarchitecture from its identification numbers or its name.

Sources: Intel, "Intel 64 and IA-32 Architectures Software Developer's Manual", vol. 4, table 2-1,
and Linux arch/x86/include/asm/intel-family.h; AMD, processor programming references, and Linux
arch/x86/kernel/cpu/amd.c; Arm, Linux arch/arm64/include/asm/cputype.h.
"""

from collections.abc import Iterable
from typing import Final

from wattribute.core.records import Machine

INTEL: Final = "GenuineIntel"
AMD: Final = "AuthenticAMD"

_INTEL_6: Final = {
    "core": (15, 22),
    "penryn": (23, 29),
    "nehalem": (26, 30, 31, 46),
    "westmere": (37, 44, 47),
    "sandybridge": (42, 45),
    "ivybridge": (58, 62),
    "haswell": (60, 63, 69, 70),
    "broadwell": (61, 71, 79, 86),
    "skylake-client": (78, 94),
    "coffeelake": (142, 158, 165, 166),
    "icelake-sp": (106,),
    "icelake-d": (108,),
    "rocketlake": (167,),
    "alderlake": (151, 154, 190),
    "raptorlake": (183, 186, 191),
    "sapphirerapids": (143,),
    "emeraldrapids": (207,),
    "graniterapids": (173, 174),
    "sierraforest": (175,),
}
_SKYLAKE_SERVER: Final = 85
"""One model number for three microarchitectures, which differ by the stepping."""

_AMD: Final[tuple[tuple[int, Iterable[int], str], ...]] = (
    (15, range(256), "k8"),
    (16, range(256), "k10"),
    (21, range(2), "bulldozer"),
    (21, range(2, 32), "piledriver"),
    (23, range(16), "zen1"),
    (23, range(16, 48), "zen1"),
    (23, range(48, 256), "zen2"),
    (25, range(16), "zen3"),
    (25, range(32, 96), "zen3"),
    (25, range(16, 32), "zen4"),
    (25, range(96, 128), "zen4"),
    (25, range(160, 176), "zen4c"),
    (26, range(16), "zen5"),
    (26, range(64, 128), "zen5"),
    (26, range(16, 32), "zen5c"),
)

_ARM: Final = {
    0xD03: "cortex-a53",
    0xD08: "cortex-a72",
    0xD0C: "neoverse-n1",
    0xD40: "neoverse-v1",
    0xD49: "neoverse-n2",
    0xD4F: "neoverse-v2",
    0xD84: "neoverse-v3",
    0xD8E: "neoverse-n3",
}
_AMPERE: Final = {0xAC3: "ampere-1", 0xAC4: "ampere-1"}
_AMPERE_IMPLEMENTER: Final = "0xc0"

_WORDS: Final = {
    "sierra forest": "sierraforest",
    "granite rapids": "graniterapids",
    "emerald rapids": "emeraldrapids",
    "sapphire rapids": "sapphirerapids",
    "sapphirerapids": "sapphirerapids",
    "ice lake": "icelake-sp",
    "icelake": "icelake-sp",
    "cooper lake": "cooperlake",
    "cascade lake": "cascadelake",
    "cascadelake": "cascadelake",
    "coffee lake": "coffeelake",
    "skylake": "skylake-sp",
    "broadwell": "broadwell",
    "haswell": "haswell",
    "ivybridge": "ivybridge",
    "sandybridge": "sandybridge",
    "epyc-turin": "zen5",
    "epyc-genoa": "zen4",
    "epyc-milan": "zen3",
    "epyc-rome": "zen2",
    "epyc 1st gen": "zen1",
    "epyc 2nd gen": "zen2",
    "epyc 3rd gen": "zen3",
    "epyc 4th gen": "zen4",
    "graviton2": "neoverse-n1",
    "graviton3": "neoverse-v1",
    "graviton4": "neoverse-v2",
    "axion": "neoverse-v2",
    "grace": "neoverse-v2",
    "cobalt": "neoverse-n2",
    "altra": "neoverse-n1",
}
"""Microarchitectures by the names in QEMU's CPU models and in documentation of clouds."""


def microarchitecture_of(machine: Machine) -> str:
    """Return the microarchitecture by CPUID or MIDR, or by a word in the name; "" if unknown."""
    name = ""
    if machine.vendor == INTEL and machine.family == 6:
        name = _intel(machine.model, machine.stepping)
    elif machine.vendor == INTEL and machine.family == 15:
        name = "netburst"
    elif machine.vendor == AMD:
        name = _amd(machine.family, machine.model)
    elif machine.vendor == "ARM":
        name = _ARM.get(machine.model, "")
    elif machine.vendor == _AMPERE_IMPLEMENTER:
        name = _AMPERE.get(machine.model, "")
    return name or microarchitecture_in(machine.cpu_name)


def microarchitecture_in(text: str) -> str:
    """Return the microarchitecture that a word in a name identifies; "" for none."""
    lower = text[:200].lower().replace("_", " ")
    return next((name for word, name in _WORDS.items() if word in lower), "")


def _intel(model: int, stepping: int) -> str:
    if model == _SKYLAKE_SERVER:
        if stepping <= 4:
            return "skylake-sp"
        return "cooperlake" if stepping >= 10 else "cascadelake"
    return next((name for name, models in _INTEL_6.items() if model in models), "")


def _amd(family: int, model: int) -> str:
    for known_family, models, name in _AMD:
        if family == known_family and model in models:
            return name
    return ""
