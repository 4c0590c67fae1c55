"""The tree looks and fails like a real one."""

import os
from pathlib import Path

from wattribute_testing.plant import Scenario
from wattribute_testing.plant.tree import PowercapTree, siblings_of, sockets_of


def powercap(root: Path) -> Path:
    return root / "class/powercap"


def test_zones_are_nested_and_linked_as_the_driver_does(tmp_path: Path) -> None:
    scenario = Scenario(sockets=2, core=True, uncore=True, psys=True)
    PowercapTree(tmp_path, scenario, [0, 1, 2, 3]).close()
    zones = {p.name: (p / "name").read_text().strip() for p in powercap(tmp_path).glob("*:*")}

    assert zones == {
        "intel-rapl:0": "package-0",
        "intel-rapl:0:0": "core",
        "intel-rapl:0:1": "uncore",
        "intel-rapl:0:2": "dram",
        "intel-rapl:1": "package-1",
        "intel-rapl:1:0": "core",
        "intel-rapl:1:1": "uncore",
        "intel-rapl:1:2": "dram",
        "intel-rapl:2": "psys",
    }
    assert (powercap(tmp_path) / "intel-rapl:1/intel-rapl:1:2/energy_uj").exists()
    assert (powercap(tmp_path) / "intel-rapl:0/max_energy_range_uj").read_text() == "262143328850\n"


def test_the_real_cgroups_are_found_below_the_tree(tmp_path: Path) -> None:
    for _ in range(2):  # a second plant may use the folder of a first one
        PowercapTree(tmp_path, Scenario(), [0]).close()

    assert (tmp_path / "fs/cgroup").readlink() == Path("/sys/fs/cgroup")


def test_cpus_are_dealt_out_to_the_packages(tmp_path: Path) -> None:
    scenario = Scenario(sockets=2, corun_factor=0.7)
    cpus = [0, 1, 2, 3, 8, 9]
    PowercapTree(tmp_path, scenario, cpus).close()
    topology = tmp_path / "devices/system/cpu"

    assert sockets_of(cpus, 2) == [0, 0, 0, 1, 1, 1]
    assert siblings_of(cpus, scenario) == [1, 0, 2, 4, 3, 5]
    assert (topology / "online").read_text() == "0,1,2,3,8,9\n"
    assert (topology / "cpu8/topology/physical_package_id").read_text() == "1\n"
    assert (topology / "cpu8/topology/thread_siblings_list").read_text() == "3,8\n"
    assert (topology / "cpu2/topology/core_cpus_list").read_text() == "2\n"


def test_a_reader_that_keeps_the_file_open_sees_every_value_whole(tmp_path: Path) -> None:
    tree = PowercapTree(tmp_path, Scenario(dram=False), [0])
    file = os.open(powercap(tmp_path) / "intel-rapl:0/energy_uj", os.O_RDONLY)
    seen = []
    for value in (262_143_328_849, 3, 70_000):
        tree.show({"package-0": value}, {})
        seen.append(os.pread(file, 64, 0))
    os.close(file)
    tree.close()

    assert [int(text) for text in seen] == [262_143_328_849, 3, 70_000]
    assert len({len(text) for text in seen}) == 1
    assert all(text.endswith(b"\n") for text in seen)


def test_a_failing_sensor_fails_for_open_files_too_and_comes_back(tmp_path: Path) -> None:
    tree = PowercapTree(tmp_path, Scenario(), [0])
    path = powercap(tmp_path) / "intel-rapl:0/energy_uj"
    values = {"package-0": 1_000_000, "dram-0": 5}
    for kind, finds in (("empty", b""), ("garbage", b"not-a-number\n"), ("denied", b"")):
        file = os.open(path, os.O_RDONLY)  # before it is denied, which binds all but root
        tree.show(values, {"package-0": kind})
        assert os.pread(file, 64, 0) == finds
        tree.show(values, {})
        assert int(os.pread(file, 64, 0)) == 1_000_000
        os.close(file)
    assert path.stat().st_mode & 0o777 == 0o400
    tree.close()


def test_a_zone_vanishes_and_comes_back(tmp_path: Path) -> None:
    tree = PowercapTree(tmp_path, Scenario(), [0])
    place = powercap(tmp_path) / "intel-rapl:0:0"
    file = os.open(place / "energy_uj", os.O_RDONLY)
    tree.show({"package-0": 1, "dram-0": 5}, {"dram-0": "vanish"})

    assert not place.exists()
    assert os.pread(file, 64, 0) == b""
    tree.show({"package-0": 1, "dram-0": 6}, {})
    assert int((place / "energy_uj").read_text()) == 6
    assert (place / "name").read_text() == "dram\n"
    os.close(file)
    tree.close()
