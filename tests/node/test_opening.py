"""What an agent says of the sources that it opens."""

from pathlib import Path

import pytest

from wattribute.core.errors import ConfigInvalid
from wattribute.node.opening import open_monitor
from wattribute.node.settings import (
    ActivitySettings,
    AttributionSettings,
    MeterSettings,
    NodeSettings,
)
from wattribute_testing import FakeCgroupfs, FakeProcfs


def findings(root: Path, cgroupfs: str = "") -> dict[str, str]:
    FakeProcfs(root / "proc").start(1)
    settings = NodeSettings(
        meter=MeterSettings(sysfs=str(root / "sys")),
        activity=ActivitySettings(procfs=str(root / "proc"), source="procfs", cgroupfs=cgroupfs),
    )
    opened = open_monitor(settings, with_state=False, patience_s=0.0)
    opened.monitor.close()
    return {f.name: f"{f.state}: {f.message}" for f in opened.findings}


def test_a_sysfs_without_cgroups_is_said(tmp_path: Path) -> None:
    message = findings(tmp_path)["cgroups"]

    assert message.startswith(f"failed: {tmp_path}/sys/fs/cgroup (fs/cgroup below meter.sysfs): no")
    assert "--cgroupfs" in message


def test_a_cgroupfs_that_is_none_is_said(tmp_path: Path) -> None:
    message = findings(tmp_path, cgroupfs=str(tmp_path))["cgroups"]

    assert message.startswith(f"failed: {tmp_path} (activity.cgroupfs): no cgroup file system")


def test_where_cgroups_are_there_is_nothing_to_say(tmp_path: Path) -> None:
    FakeCgroupfs(tmp_path / "sys/fs/cgroup")

    assert "cgroups" not in findings(tmp_path)


def test_every_source_has_a_finding(tmp_path: Path) -> None:
    assert {"rapl", "estimate", "cycles", "procfs", "docker", "kubernetes"} <= findings(
        tmp_path
    ).keys()


def test_a_file_of_weights_that_cannot_be_used_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "weights.json").write_text("{}")
    FakeProcfs(tmp_path / "proc").start(1)
    settings = NodeSettings(
        meter=MeterSettings(sysfs=str(tmp_path / "sys")),
        activity=ActivitySettings(procfs=str(tmp_path / "proc"), source="procfs"),
        attribution=AttributionSettings(weights_file=str(tmp_path / "weights.json")),
    )

    with pytest.raises(ConfigInvalid, match=r"attribution\.weights_file: .*no pooled weights"):
        open_monitor(settings, with_state=False, patience_s=0.0)
