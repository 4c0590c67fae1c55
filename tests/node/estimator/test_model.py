"""What the shipped model says of machines that were measured, and how sure it is."""

import time
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattribute.core.records import Load, Machine, Power
from wattribute.core.units import Nanoseconds, watts
from wattribute.node.estimates.power_model import read_artefact
from wattribute.node.estimator.artefact import Artefact
from wattribute.node.estimator.calibration import Measured
from wattribute.node.estimator.model import ArtefactEstimator

GB = 10**9
XEON = "Intel(R) Xeon(R) Platinum 8275CL CPU @ 3.00GHz"
SERVER = Machine(
    "GenuineIntel", 6, 85, 7, XEON, "x86_64", 2, 48, 96, memory_bytes=192 * GB
)  # fmt: skip
GUEST = Machine(
    "GenuineIntel", 6, 85, 7, XEON, "x86_64", 1, 4, 8,
    memory_bytes=16 * GB, hypervisor="kvm", instance_type="c5.2xlarge",
)  # fmt: skip


def predict(
    machine: Machine, utilisation: float, estimator: ArtefactEstimator | None = None
) -> dict[str, Power]:
    model = estimator or ArtefactEstimator(read_artefact())
    return dict(model.predict(machine, Load(Nanoseconds(1), utilisation)))


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
    host = replace(SERVER, memory_bytes=192 * GB)
    for utilisation in (0.0, 0.3, 1.0):
        whole, part = predict(host, utilisation)["cpu"], predict(GUEST, utilisation)["cpu"]
        assert total_w(part) == pytest.approx(total_w(whole) * 8 / 96, rel=1e-6)
        assert part.idle_uw == pytest.approx(whole.idle_uw * 8 / 96, rel=1e-6)


def test_a_guest_knows_less_than_its_host() -> None:
    whole, part = predict(SERVER, 0.5)["cpu"], predict(GUEST, 0.5)["cpu"]

    assert part.high_uw / part.low_uw > whole.high_uw / whole.low_uw


def test_components_are_those_that_can_be_known() -> None:
    assert set(predict(SERVER, 0.5)) == {"cpu", "dram", "other"}
    assert set(predict(GUEST, 0.5)) == {"cpu", "dram", "other"}
    assert set(predict(replace(SERVER, memory_bytes=0), 0.5)) == {"cpu", "other"}
    laptop = replace(SERVER, chassis_type=10)
    assert set(predict(laptop, 0.5)) == {"cpu", "dram"}  # only servers were measured at the wall


def test_less_knowledge_means_a_wider_band() -> None:
    def width(machine: Machine) -> float:
        power = predict(machine, 0.5)["cpu"]
        return power.high_uw / power.low_uw

    big = {"cores": 64, "threads": 128}
    named = Machine("AuthenticAMD", 25, 1, cpu_name="AMD EPYC 7763 64-Core Processor", **big)
    family = Machine("AuthenticAMD", 25, 1, cpu_name="AMD EPYC", **big)
    unknown = Machine("", 0, 0, **big)
    assert width(named) < width(family) < width(unknown)


def test_a_tuned_machine_draws_less_when_idle_and_the_same_when_busy() -> None:
    tuned = ArtefactEstimator(read_artefact(), profile="tuned").host_model(SERVER).wall
    typical = ArtefactEstimator(read_artefact()).host_model(SERVER).wall

    assert tuned.at(0.0)[0] < 0.8 * typical.at(0.0)[0]
    assert tuned.at(1.0)[0] == pytest.approx(typical.at(1.0)[0], rel=0.02)


def test_an_idle_reading_moves_the_machine_and_narrows_the_band() -> None:
    estimator = ArtefactEstimator(read_artefact())
    before = estimator.host_model(SERVER).wall
    after = estimator.calibrated([Measured(0.0, before.at(0.0)[0] * 1.3)]).host_model(SERVER).wall

    assert after.at(0.0)[0] == pytest.approx(before.at(0.0)[0] * 1.3, rel=0.03)
    assert before.at(1.0)[0] < after.at(1.0)[0] < before.at(1.0)[0] * 1.3
    for utilisation in (0.0, 0.5, 1.0):
        _, low, high = before.at(utilisation)
        _, low_after, high_after = after.at(utilisation)
        assert high_after / low_after < high / low


def test_packages_that_were_measured_are_taken_as_measured() -> None:
    estimator = ArtefactEstimator(read_artefact())
    seen = [Measured(0.0, 80.0, "pkg"), Measured(0.9, 500.0, "pkg")]
    cpu = predict(SERVER, 0.9, estimator.calibrated(seen))["cpu"]

    assert total_w(cpu) == pytest.approx(500, rel=0.01)
    assert watts(cpu.idle_uw) == pytest.approx(80, rel=0.01)


def test_it_says_what_the_estimates_rest_on(artefact: Artefact) -> None:
    estimator = ArtefactEstimator(artefact)

    known = estimator.explain(SERVER)
    assert (known.basis, known.cpu, known.microarchitecture) == ("cpu", "xsp-8275cl", "cascadelake")
    assert (known.model, known.version, known.calibrated) == ("wattribute-power", "1", False)
    unknown = estimator.explain(Machine(cores=4, threads=8, cpu_name="VIA Nano"))
    assert unknown.basis == "class"
    assert "microarchitecture not known" in unknown.why_wide


def test_reading_the_curves_takes_less_than_a_millisecond(artefact: Artefact) -> None:
    estimator = ArtefactEstimator(artefact)
    estimator.predict(SERVER, Load(Nanoseconds(1), 0.1))
    began = time.thread_time()
    for step in range(100):
        estimator.predict(SERVER, Load(Nanoseconds(1), step / 100))

    assert (time.thread_time() - began) / 100 < 0.001


@given(
    utilisation=st.floats(-0.5, 1.5),
    more=st.floats(0, 1),
    cores=st.integers(1, 512),
    memory=st.integers(0, 2**44),
    hypervisor=st.sampled_from(["", "kvm"]),
    name=st.sampled_from(["", XEON, "AMD EPYC 9R14", "Neoverse-N1"]),
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
