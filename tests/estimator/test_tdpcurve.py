"""The first estimator: what it says of machines that were measured, and how sure it is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattribute.estimator.cpus import tdp_of
from wattribute.estimator.tdpcurve import TdpCurve
from wattribute.records import Load, Machine, Power
from wattribute.units import Nanoseconds, watts

XEON = "Intel(R) Xeon(R) Platinum 8275CL CPU @ 3.00GHz"


def predict(machine: Machine, utilisation: float, tdp_watts: float = 0.0) -> dict[str, Power]:
    return dict(TdpCurve(tdp_watts).predict(machine, Load(Nanoseconds(1), utilisation)))


def total_w(power: Power) -> float:
    return watts(power.idle_uw + power.dynamic_uw)


@pytest.mark.parametrize(
    ("name", "cores", "measured_w"),
    [  # RAPL package watts at 0, 50 and 100 %, from Teads' AWS data (April and June 2021)
        (XEON, 48, (59.5, 440.9, 617.4)),
        ("Intel(R) Xeon(R) CPU E5-2686 v4 @ 2.30GHz", 36, (35, 205, 272)),
        ("Intel(R) Xeon(R) Platinum 8175M CPU @ 2.50GHz", 48, (58, 344, 492)),
    ],
)
def test_measured_hosts_lie_within_the_band(
    name: str, cores: int, measured_w: tuple[float, float, float]
) -> None:
    machine = Machine(cpu_name=name, packages=2, cores=cores, threads=2 * cores)
    for utilisation, package_w in zip((0.0, 0.5, 1.0), measured_w, strict=True):
        power = predict(machine, utilisation)["cpu"]
        assert watts(power.low_uw) <= package_w <= watts(power.high_uw)
        assert power.basis == "cpu"


def test_a_guest_pays_its_share_of_the_host_idle_included() -> None:
    host = Machine(cpu_name=XEON, packages=2, cores=48, threads=96)
    guest = Machine(cpu_name=XEON, cores=4, threads=8, hypervisor="kvm")

    for utilisation in (0.0, 0.3, 1.0):
        whole, part = predict(host, utilisation)["cpu"], predict(guest, utilisation)["cpu"]
        assert total_w(part) == pytest.approx(total_w(whole) * 8 / 96, rel=1e-6)
        assert part.idle_uw == pytest.approx(whole.idle_uw * 8 / 96, rel=1e-6)


def test_what_stands_around_a_guest_is_not_guessed() -> None:
    assert set(predict(Machine(memory_bytes=1, hypervisor="kvm"), 0.5)) == {"cpu", "dram"}
    assert set(predict(Machine(memory_bytes=1), 0.5)) == {"cpu", "dram", "other"}
    assert set(predict(Machine(hypervisor="kvm"), 0.5)) == {"cpu"}


@pytest.mark.parametrize(
    ("machine", "basis"),
    [
        (Machine(cpu_name="AMD EPYC 7B12"), "cpu"),
        (Machine("AuthenticAMD", 25, 17, cpu_name="AMD EPYC"), "microarchitecture"),
        (Machine("GenuineIntel", 6, 106, cpu_name="Intel Xeon Processor"), "microarchitecture"),
        (Machine("ARM", 8, 0xD40, cpu_name="Neoverse-V1"), "microarchitecture"),
        (Machine("ARM", 8, 0xD49, architecture="aarch64"), "class"),
        (Machine("GenuineIntel", 6, 15), "class"),
        (Machine(), "class"),
    ],
)
def test_the_basis_says_what_was_known(machine: Machine, basis: str) -> None:
    assert tdp_of(machine).basis == basis


def test_less_knowledge_means_a_wider_band() -> None:
    def width(machine: Machine) -> float:
        power = predict(machine, 0.5)["cpu"]
        return power.high_uw / power.low_uw

    big = {"cores": 64, "threads": 128}
    named = Machine(cpu_name="AMD EPYC 7763 64-Core Processor", **big)
    family = Machine("AuthenticAMD", 25, 1, cpu_name="AMD EPYC", **big)
    unknown = Machine("", 0, 0, **big)
    assert width(named) < width(family) < width(unknown)
    assert width(named) < width(Machine(cpu_name=named.cpu_name, threads=8, hypervisor="kvm"))


def test_a_small_part_does_not_reach_its_tdp() -> None:
    small = Machine(cpu_name="Xeon E3-1240 v2", cores=4, threads=8)

    # 69 W TDP; 48 W measured at full load
    assert total_w(predict(small, 1.0, tdp_watts=69)["cpu"]) == pytest.approx(45.1, abs=0.1)
    assert total_w(predict(small, 1.0, tdp_watts=40)["cpu"]) == pytest.approx(37.6, abs=0.1)


def test_a_given_tdp_goes_before_the_table() -> None:
    server = Machine(cpu_name=XEON, packages=2, cores=48, threads=96)
    guest = Machine(cpu_name=XEON, cores=2, threads=4, hypervisor="kvm")
    unknown_guest = Machine(cores=2, threads=4, packages=1, hypervisor="kvm")

    assert tdp_of(server, 300).watts == 600
    assert tdp_of(guest, 300).watts == pytest.approx(300 * 4 / 48)
    assert tdp_of(unknown_guest, 20).watts == 20


@given(
    utilisation=st.floats(-0.5, 1.5),
    more=st.floats(0, 1),
    cores=st.integers(1, 512),
    memory=st.integers(0, 2**44),
    hypervisor=st.sampled_from(["", "kvm"]),
    name=st.sampled_from(["", XEON, "AMD EPYC 9R14"]),
)
def test_power_rises_with_load_and_lies_in_its_band(  # noqa: PLR0917 - drawn by Hypothesis
    utilisation: float, more: float, cores: int, memory: int, hypervisor: str, name: str
) -> None:
    machine = Machine(
        cpu_name=name, cores=cores, threads=2 * cores, memory_bytes=memory, hypervisor=hypervisor
    )
    before, after = predict(machine, utilisation), predict(machine, utilisation + more)

    assert before.keys() == after.keys()
    for component, power in before.items():
        assert power.idle_uw == after[component].idle_uw >= 0
        assert 0 <= power.dynamic_uw <= after[component].dynamic_uw
        assert power.low_uw <= power.idle_uw + power.dynamic_uw <= power.high_uw
