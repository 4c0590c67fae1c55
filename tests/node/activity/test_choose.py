"""Which source of activity is used."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from wattribute.core.errors import ActivityAbsent, ActivityDenied, ActivityError
from wattribute.core.records import Topology
from wattribute.node.activity import Activity, choose, cycles, tasks
from wattribute.node.settings import ActivitySettings, MeterSettings, NodeSettings
from wattribute_testing import FakeCgroupfs, FakeProcfs

ONE = Topology(("0",), np.zeros(1, np.int64), np.full(1, -1))


def settings(root: Path, source: str) -> NodeSettings:
    return NodeSettings(
        meter=MeterSettings(sysfs=str(root / "sys")),
        activity=ActivitySettings(procfs=str(root / "proc"), source=source),
    )


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Without BPF."""

    def absent(_: object) -> Activity:
        raise ActivityAbsent("no counters of cycles")

    def denied(_: object) -> Activity:
        raise ActivityDenied("needs CAP_BPF")

    monkeypatch.setattr(cycles, "BACKEND", replace(cycles.BACKEND, open=absent))
    monkeypatch.setattr(tasks, "BACKEND", replace(tasks.BACKEND, open=denied))
    FakeProcfs(tmp_path / "proc").start(1)
    return tmp_path


def test_auto_takes_the_first_that_works_and_says_what_was_wrong(machine: Path) -> None:
    FakeCgroupfs(machine / "sys/fs/cgroup")

    chosen = choose.choose_activity(settings(machine, "auto"), ONE)

    assert chosen.activity.name == "cgroup"
    assert [(f.name, f.state, f.message) for f in chosen.findings] == [
        ("cycles", "absent", "no counters of cycles"),
        ("tasks", "denied", "needs CAP_BPF"),
        ("cgroup", "works", ""),
        ("procfs", "not used", "cgroup is used"),
    ]
    assert chosen.activity.bpf_run_ns() is None
    chosen.activity.close()


def test_without_cgroups_procfs_is_used(machine: Path) -> None:
    chosen = choose.choose_activity(settings(machine, "auto"), ONE)

    assert chosen.activity.name == "procfs"
    assert chosen.findings[2].state == "absent"
    assert chosen.activity.bpf_run_ns() is None
    chosen.activity.close()


def test_a_source_that_is_named_must_work(machine: Path) -> None:
    with pytest.raises(ActivityDenied, match="CAP_BPF"):
        choose.choose_activity(settings(machine, "tasks"), ONE)
    with pytest.raises(ActivityAbsent, match="cgroup"):
        choose.choose_activity(settings(machine, "cgroup"), ONE)


def test_a_source_that_is_named_is_taken_and_no_other_tried(machine: Path) -> None:
    chosen = choose.choose_activity(settings(machine, "procfs"), ONE)

    assert [f.state for f in chosen.findings] == ["not used"] * 3 + ["works"]
    assert chosen.findings[0].message == "activity.source is procfs"


def test_a_machine_without_procfs_has_no_source(tmp_path: Path) -> None:
    with pytest.raises(ActivityError, match="--procfs"):
        choose.choose_activity(settings(tmp_path, "auto"), ONE)
