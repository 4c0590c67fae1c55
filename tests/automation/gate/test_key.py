"""What makes two series comparable."""

from pathlib import Path

import pytest

from wattribute.automation.gate.key import comparability_key, differences, governor, quota, turbo
from wattribute.node.settings import ActivitySettings, MeterSettings, NodeSettings


def put(root: Path, path: str, text: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)


def test_governors_and_turbo_are_read_where_they_are(tmp_path: Path) -> None:
    assert (governor(tmp_path), turbo(tmp_path)) == ("unknown", "unknown")
    for cpu, name in enumerate(("schedutil", "performance", "schedutil")):
        put(tmp_path, f"devices/system/cpu/cpu{cpu}/cpufreq/scaling_governor", f"{name}\n")
    put(tmp_path, "devices/system/cpu/cpufreq/boost", "1\n")
    assert (governor(tmp_path), turbo(tmp_path)) == ("performance+schedutil", "on")
    put(tmp_path, "devices/system/cpu/intel_pstate/no_turbo", "1\n")
    assert turbo(tmp_path) == "off"


def test_the_quota_is_the_least_above_us(tmp_path: Path) -> None:
    cgroupfs, procfs = tmp_path / "cg", tmp_path / "proc"
    put(procfs, "self/cgroup", "0::/ci/job/step\n")
    assert quota(cgroupfs, procfs) == "none"
    put(cgroupfs, "ci/job/step/cpu.max", "max 100000\n")
    assert quota(cgroupfs, procfs) == "none"
    put(cgroupfs, "ci/cpu.max", "250000 100000\n")
    put(cgroupfs, "ci/job/cpu.max", "400000 100000\n")
    assert quota(cgroupfs, procfs) == "2.5"


def test_the_quota_of_cgroup_v1(tmp_path: Path) -> None:
    put(tmp_path, "proc/self/cgroup", "4:memory:/m\n3:cpu,cpuacct:/docker/a\n")
    put(tmp_path, "cg/cpu,cpuacct/docker/a/cpu.cfs_quota_us", "150000\n")
    put(tmp_path, "cg/cpu,cpuacct/docker/a/cpu.cfs_period_us", "100000\n")

    assert quota(tmp_path / "cg", tmp_path / "proc") == "1.5"


@pytest.mark.parametrize("text", ["0::/../..\n", "", "nonsense"])
def test_a_hidden_cgroup_is_no_error(tmp_path: Path, text: str) -> None:
    put(tmp_path, "proc/self/cgroup", text)

    assert quota(tmp_path / "cg", tmp_path / "proc") == "none"


def test_the_key_of_this_machine_is_whole_and_the_same_twice() -> None:
    settings = NodeSettings(
        activity=ActivitySettings(source="procfs"), meter=MeterSettings(use=("estimate",))
    )
    key = comparability_key(settings, [])

    assert key == comparability_key(settings, [])
    assert {"cpu", "cpus", "governor", "turbo", "quota", "meters", "model", "floor"} <= key.keys()
    assert differences(key, key) == []
    assert differences(key, {**key, "quota": "2"}) == [f"quota: {key['quota']!r} was '2'"]
