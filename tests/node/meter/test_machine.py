"""What a machine is, read from files that may be missing or odd."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wattribute.core.records import Machine
from wattribute.node.meter.machine import package_ids, read_machine, read_topology
from wattribute_testing import FakeSysfs
from wattribute_testing.strength import examples

MACHINES = Path(__file__).parents[2] / "machines"

XEON = """\
processor\t: 0
vendor_id\t: GenuineIntel
cpu family\t: 6
model\t\t: 85
model name\t: Intel(R) Xeon(R) Platinum 8259CL CPU @ 2.50GHz
stepping\t: 7
flags\t\t: fpu vme{flags}

processor\t: 1
vendor_id\t: GenuineIntel
"""

GRAVITON = """\
processor\t: 0
BogoMIPS\t: 243.75
Features\t: fp asimd evtstrm
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x3
CPU part\t: 0xd0c
CPU revision\t: 1
"""


@pytest.fixture
def sysfs(tmp_path: Path) -> FakeSysfs:
    return FakeSysfs(tmp_path / "sys")


@pytest.fixture
def procfs(tmp_path: Path) -> Path:
    folder = tmp_path / "proc"
    folder.mkdir()
    return folder


def test_a_two_socket_server(sysfs: FakeSysfs, procfs: Path) -> None:
    (procfs / "cpuinfo").write_text(XEON.format(flags=""))
    (procfs / "meminfo").write_text("MemTotal:       394000000 kB\nMemFree: 1 kB\n")
    sysfs.cpus(packages=2, cores=24, threads=2).dmi("Dell Inc.", "PowerEdge R740")
    sysfs.write("devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq", 3_500_000)

    assert read_machine(procfs, sysfs.root) == Machine(
        vendor="GenuineIntel",
        family=6,
        model=85,
        stepping=7,
        cpu_name="Intel(R) Xeon(R) Platinum 8259CL CPU @ 2.50GHz",
        architecture="x86_64",
        packages=2,
        cores=48,
        threads=96,
        max_mhz=3500,
        memory_bytes=394_000_000 * 1024,
        hypervisor="",
        dmi_vendor="Dell Inc.",
        dmi_product="PowerEdge R740",
    )


def test_an_arm_cloud_machine(sysfs: FakeSysfs, procfs: Path) -> None:
    (procfs / "cpuinfo").write_text(GRAVITON)
    sysfs.cpus(cores=4, threads=1).dmi("Amazon EC2", "m6g.xlarge")
    for cpu in range(4):
        sysfs.write(f"devices/system/cpu/cpu{cpu}/topology/physical_package_id", -1)

    machine = read_machine(procfs, sysfs.root)

    assert (machine.vendor, machine.family, machine.model) == ("ARM", 8, 0xD0C)
    assert (machine.cpu_name, machine.architecture) == ("Neoverse-N1", "aarch64")
    assert (machine.packages, machine.cores, machine.threads) == (1, 4, 4)
    assert machine.hypervisor == "kvm"
    assert read_topology(sysfs.root, procfs).package_ids == ("0",)


@pytest.mark.parametrize(
    ("flags", "dmi", "hypervisor"),
    [
        (" hypervisor", ("Amazon EC2", "m5.large"), "kvm"),
        (" hypervisor", ("Xen", "HVM domU"), "xen"),
        (" hypervisor", ("Microsoft Corporation", "Virtual Machine"), "hyperv"),
        (" hypervisor", ("VMware, Inc.", "VMware7,1"), "vmware"),
        (" hypervisor", ("Google", "Google Compute Engine"), "kvm"),
        (" hypervisor", ("", ""), "unknown"),
        ("", ("Amazon EC2", "m5.metal"), ""),
        ("", ("Microsoft Corporation", "Surface Pro"), ""),
    ],
)
def test_which_hypervisor(
    flags: str, dmi: tuple[str, str], hypervisor: str, sysfs: FakeSysfs, procfs: Path
) -> None:
    (procfs / "cpuinfo").write_text(XEON.format(flags=flags))

    assert read_machine(procfs, sysfs.dmi(*dmi).root).hypervisor == hypervisor


def test_xen_says_so_itself(sysfs: FakeSysfs, procfs: Path) -> None:
    (procfs / "cpuinfo").write_text(XEON.format(flags=" hypervisor"))
    sysfs.write("hypervisor/type", "xen").dmi("Amazon EC2", "m4.large")

    assert read_machine(procfs, sysfs.root).hypervisor == "xen"


def test_bare_arm_metal_has_no_hypervisor(sysfs: FakeSysfs, procfs: Path) -> None:
    (procfs / "cpuinfo").write_text(GRAVITON)

    assert read_machine(procfs, sysfs.dmi("Amazon EC2", "m6g.metal").root).hypervisor == ""
    assert read_machine(procfs, sysfs.dmi("GIGABYTE", "R272").root).hypervisor == ""


def test_nothing_readable_is_one_unknown_cpu(tmp_path: Path) -> None:
    machine = read_machine(tmp_path, tmp_path)

    assert (machine.vendor, machine.packages, machine.threads) == ("", 1, 1)
    topology = read_topology(tmp_path, tmp_path)
    assert topology.package_ids == ("0",)
    assert topology.package_of_cpu.tolist() == [0]


def test_without_topology_files_proc_stat_counts_the_cpus(tmp_path: Path) -> None:
    (tmp_path / "stat").write_text("cpu  1 2\ncpu0 1 2\ncpu1 1 2\ncpu2 1 2\nintr 5\n")

    topology = read_topology(tmp_path / "sys", tmp_path)

    assert topology.package_of_cpu.tolist() == [0, 0, 0]
    assert topology.sibling_of_cpu.tolist() == [-1, -1, -1]


def test_siblings_and_offline_cpus(sysfs: FakeSysfs, procfs: Path) -> None:
    sysfs.cpus(packages=2, cores=2, threads=2, offline=(5,))

    topology = read_topology(sysfs.root, procfs)

    assert topology.package_ids == ("0", "1")
    assert topology.package_of_cpu.tolist() == [0, 0, 1, 1, 0, -1, 1, 1]
    assert topology.sibling_of_cpu.tolist() == [4, -1, 6, 7, 0, -1, 2, 3]
    assert topology.cpus_online == 7


def test_dies_count_where_rapl_names_them(sysfs: FakeSysfs, procfs: Path) -> None:
    topology = read_topology(sysfs.load(MACHINES / "dies.tree").root, procfs)

    assert topology.package_ids == ("0-0", "0-1", "1-0", "1-1")
    assert topology.package_of_cpu.tolist() == [0, 1, 2, 3]
    assert read_machine(procfs, sysfs.root).packages == 2


def test_dies_that_share_a_counter_are_one_package(sysfs: FakeSysfs, procfs: Path) -> None:
    topology = read_topology(sysfs.load(MACHINES / "amd.tree").root, procfs)

    assert topology.package_ids == ("0", "1")
    assert topology.package_of_cpu.tolist() == [0, 0, 1, 1]


def test_packages_are_numbered_as_the_kernel_does(sysfs: FakeSysfs) -> None:
    assert package_ids(sysfs.load(MACHINES / "power9.tree").root) == ("0", "8")


@settings(max_examples=examples(80), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    cpuinfo=st.one_of(st.binary(max_size=200), st.just(GRAVITON.encode()[:70])),
    online=st.text("0123456789,-\n x", max_size=12),
    attribute=st.binary(max_size=30),
)
def test_odd_files_never_raise(
    cpuinfo: bytes, online: str, attribute: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("fuzz")
    sysfs = FakeSysfs(folder).cpus(cores=1, threads=2).dmi("", "")
    (folder / "cpuinfo").write_bytes(cpuinfo)
    (folder / "meminfo").write_bytes(attribute)
    sysfs.write_raw("devices/system/cpu/online", online.encode())
    for name in ("physical_package_id", "die_id", "thread_siblings_list"):
        sysfs.write_raw(f"devices/system/cpu/cpu1/topology/{name}", attribute)

    machine = read_machine(folder, folder)
    topology = read_topology(folder, folder)

    assert machine.threads >= machine.packages >= 1
    assert topology.package_of_cpu.max() < len(topology.package_ids)
