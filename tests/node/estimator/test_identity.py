"""What a machine said -> what the host is, and how well that is known."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattribute.core.records import Machine
from wattribute.node.estimates.power_model import read_artefact
from wattribute.node.estimator.artefact import Artefact
from wattribute.node.estimator.identity import find_cpu, identify
from wattribute.node.estimator.instances import family_names

GB = 10**9
CASCADE = "Intel(R) Xeon(R) Platinum 8259CL CPU @ 2.50GHz"


def guest(**known: object) -> Machine:
    fields: dict[str, object] = {
        "packages": 1, "cores": 2, "threads": 4, "memory_bytes": 16 * GB, "hypervisor": "kvm",
        "architecture": "x86_64",
    }  # fmt: skip
    return Machine(**(fields | known))  # type: ignore[arg-type]


def test_a_server_is_its_own_host(artefact: Artefact) -> None:
    machine = Machine(
        "GenuineIntel", 6, 85, 7, CASCADE, "x86_64", 2, 48, 96,
        memory_bytes=384 * GB, dmi_vendor="Dell Inc.", chassis_type=23,
    )  # fmt: skip

    host = identify(artefact, machine)

    assert (host.cpu_key, host.microarchitecture) == ("xsp-8259cl", "cascadelake")
    assert (host.tdp_watts, host.chips, host.cores, host.threads) == (210, 2, 48, 96)
    assert (host.memory_gb, host.maker, host.share, host.basis) == (384, "dell", 1.0, "cpu")
    assert host.why == ()


def test_a_guest_of_a_known_instance_type_is_its_share_of_that_host(artefact: Artefact) -> None:
    host = identify(artefact, guest(cpu_name=CASCADE, instance_type="m5.xlarge"))

    assert (host.threads, host.chips, host.cores, host.memory_gb) == (96, 2, 48, 384)
    assert host.share == pytest.approx(4 / 96)
    assert host.memory_share == pytest.approx(16 / 384)
    assert host.basis == "cpu"
    assert host.why == (
        "a virtual machine, which sees neither its neighbours nor the host's clock",
    )


@pytest.mark.parametrize(
    ("machine", "key"),
    [  # the CPU hides its name, the cloud's table tells it
        (guest(vendor="AuthenticAMD", family=25, model=1, cpu_name="AMD EPYC",
               instance_type="m6a.large"), "epyc-7r13"),
        (guest(vendor="ARM", family=8, model=0xD0C, cpu_name="Neoverse-N1", cores=4,
               instance_type="m6g.xlarge", architecture="aarch64"), "graviton2"),
        (guest(vendor="ARM", family=8, model=0xD4F, cpu_name="Neoverse-V2", cores=4,
               instance_type="r8g.xlarge"), "graviton4"),
        (guest(vendor="AuthenticAMD", family=23, model=49, cpu_name="AMD EPYC",
               instance_type="n2d-standard-4"), "epyc-7b12"),
    ],
)  # fmt: skip
def test_an_instance_type_tells_what_the_cpu_hides(
    machine: Machine, key: str, artefact: Artefact
) -> None:
    host = identify(artefact, machine)

    assert (host.cpu_key, host.basis) == (key, "cpu")


def test_without_an_instance_type_two_typical_packages_stand_around_a_guest(
    artefact: Artefact,
) -> None:
    machine = guest(vendor="AuthenticAMD", family=25, model=1, cpu_name="AMD EPYC")

    host = identify(artefact, machine)

    typical = artefact.microarchitectures["zen3"]
    assert host.basis == "microarchitecture"
    assert (host.chips, host.cores) == (2, 2 * typical.cloud_cores)
    assert host.tdp_watts == pytest.approx(typical.cloud_tdp_watts)
    assert "CPU model not known ('AMD EPYC')" in host.why
    assert any("instance type not known" in why for why in host.why)


def test_of_an_unknown_cpu_it_says_that_nothing_is_known(artefact: Artefact) -> None:
    host = identify(artefact, Machine(cores=8, threads=16, cpu_name="Loongson-3C6000"))

    assert host.basis == "class"
    assert "CPU model not known ('Loongson-3C6000')" in host.why
    assert "microarchitecture not known" in host.why


def test_a_tdp_that_is_given_stands(artefact: Artefact) -> None:
    unknown = Machine(cores=8, threads=16)

    assert identify(artefact, unknown, tdp_watts=95).tdp_watts == 95
    assert identify(artefact, unknown, tdp_watts=95).basis == "cpu"


def test_a_guest_is_never_more_than_its_host(artefact: Artefact) -> None:
    huge = guest(threads=448, cores=224, memory_bytes=12_000 * GB, instance_type="t3.nano")

    host = identify(artefact, huge)

    assert host.share == 1.0
    assert host.memory_share == 1.0


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("m5.large", ["aws:m5"]),
        ("m7a.metal-48xl", ["aws:m7a"]),
        ("u-6tb1.112xlarge", ["aws:u-6tb1"]),
        ("Standard_D4s_v3", ["azure:ds_v3", "azure:d_v3"]),
        ("D16 v4", ["azure:d_v4", "azure:d_v4"]),
        ("n2d-standard-4", ["gcp:n2d-standard", "gcp:n2d"]),
        ("custom", []),
        ("", []),
    ],
)
def test_families_of_instance_types(text: str, names: list[str]) -> None:
    assert family_names(text) == names


def test_the_table_of_cpus_is_searched_by_the_whole_key(artefact: Artefact) -> None:
    found = find_cpu(artefact, "epyc-7r13")
    assert found is not None
    assert (found.tdp_watts, found.cores) == (225, 48)
    assert find_cpu(artefact, "epyc-7r1") is None
    assert find_cpu(artefact, "r13 ") is None
    assert find_cpu(artefact, "") is None


@given(
    name=st.text(max_size=80),
    instance=st.text(max_size=40) | st.from_regex(r"[a-z]\d[a-z]?\.\d*x?large"),
    numbers=st.tuples(*[st.integers(0, 2**16)] * 3),
    sizes=st.tuples(*[st.integers(0, 4096)] * 3),
    memory=st.integers(0, 2**50),
    hypervisor=st.sampled_from(["", "kvm"]),
    vendor=st.sampled_from(["GenuineIntel", "AuthenticAMD", "ARM", ""]),
)
def test_whatever_a_machine_says_the_figures_are_usable(  # noqa: PLR0917 - drawn by Hypothesis
    name: str,
    instance: str,
    numbers: tuple[int, int, int],
    sizes: tuple[int, int, int],
    memory: int,
    hypervisor: str,
    vendor: str,
) -> None:
    machine = Machine(
        vendor, *numbers, name, "", *sizes,
        memory_bytes=memory, hypervisor=hypervisor, instance_type=instance,
    )  # fmt: skip

    host = identify(read_artefact(), machine)

    for figure in (host.tdp_watts, host.chips, host.cores, host.threads, host.memory_gb, host.ghz):
        assert 0 < figure < 10**9
    assert 0 <= host.share <= 1
    assert 0 <= host.memory_share <= 1
    assert host.basis in {"cpu", "microarchitecture", "class"}
