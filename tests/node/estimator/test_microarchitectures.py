"""CPUID's and MIDR's numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattribute.core.records import Machine
from wattribute.node.estimator.microarchitectures import microarchitecture_in, microarchitecture_of


@pytest.mark.parametrize(
    ("machine", "name"),
    [
        (Machine("GenuineIntel", 6, 85, 4), "skylake-sp"),
        (Machine("GenuineIntel", 6, 85, 7), "cascadelake"),
        (Machine("GenuineIntel", 6, 85, 11), "cooperlake"),
        (Machine("GenuineIntel", 6, 79), "broadwell"),
        (Machine("GenuineIntel", 6, 106), "icelake-sp"),
        (Machine("GenuineIntel", 6, 143), "sapphirerapids"),
        (Machine("GenuineIntel", 6, 173), "graniterapids"),
        (Machine("GenuineIntel", 15, 4), "netburst"),
        (Machine("AuthenticAMD", 23, 1), "zen1"),
        (Machine("AuthenticAMD", 23, 49), "zen2"),
        (Machine("AuthenticAMD", 25, 1, cpu_name="AMD EPYC"), "zen3"),
        (Machine("AuthenticAMD", 25, 17), "zen4"),
        (Machine("AuthenticAMD", 25, 160), "zen4c"),
        (Machine("AuthenticAMD", 26, 2), "zen5"),
        (Machine("AuthenticAMD", 26, 17), "zen5c"),
        (Machine("ARM", 8, 0xD0C, cpu_name="Neoverse-N1"), "neoverse-n1"),
        (Machine("ARM", 8, 0xD40), "neoverse-v1"),
        (Machine("ARM", 8, 0xD4F), "neoverse-v2"),
        (Machine("0xc0", 8, 0xAC3), "ampere-1"),
        # QEMU shows the model's word where it hides the numbers
        (Machine("GenuineIntel", 6, 6, cpu_name="Intel Xeon Processor (Icelake)"), "icelake-sp"),
        (Machine("GenuineIntel", 6, 255), ""),
        (Machine("CentaurHauls", 7, 1), ""),
        (Machine(), ""),
    ],
)
def test_numbers_tell_the_microarchitecture(machine: Machine, name: str) -> None:
    assert microarchitecture_of(machine) == name


def test_words_of_clouds() -> None:
    assert microarchitecture_in("Intel Xeon Emerald Rapids") == "emeraldrapids"
    assert microarchitecture_in("EPYC 3rd Gen") == "zen3"
    assert microarchitecture_in("Unknown") == ""


@given(
    vendor=st.sampled_from(["GenuineIntel", "AuthenticAMD", "ARM", "0xc0", "", "x"]),
    family=st.integers(0, 2**31),
    model=st.integers(0, 2**31),
    stepping=st.integers(0, 2**31),
    name=st.text(max_size=60),
)
def test_no_numbers_raise(vendor: str, family: int, model: int, stepping: int, name: str) -> None:
    found = microarchitecture_of(Machine(vendor, family, model, stepping, name))
    assert found == found.strip()
