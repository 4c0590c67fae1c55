"""A running plant: real children, counters that follow the truth, nothing left behind."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from wattribute.core.errors import ConfigInvalid
from wattribute_testing.plant import (
    Burn,
    Churn,
    Fault,
    Group,
    Journal,
    Plant,
    Run,
    Scenario,
    Truth,
    main,
    run_plant,
)
from wattribute_testing.plant.cgroups import CgroupUnavailable, GroupCgroup
from wattribute_testing.waiting import wait_until

SMALL = Group(name="small", cgroup="", watts_per_core=5.0, commands=(Burn(load=0.2),))


def counter(sysfs: Path, zone: str = "intel-rapl:0") -> int:
    return int((sysfs / "class/powercap" / zone / "energy_uj").read_text())


def risen(truth: Truth, scenario: Scenario) -> dict[str, int]:
    return {zone: value - scenario.start_uj for zone, value in truth.counters.items()}


def test_counters_rise_by_the_sum_of_the_rows_exactly(tmp_path: Path) -> None:
    scenario = Scenario(groups=(SMALL,), psys=True, core=True, noise=0.1)
    truth = run_plant(scenario, tmp_path / "sys", seconds=1.0, journal=tmp_path / "journal.csv")
    journal = Journal(tmp_path / "journal.csv")

    assert risen(truth, scenario) == {z: sum(rows.values()) for z, rows in truth.zones.items()}
    assert counter(tmp_path / "sys") == truth.counters["package-0"]
    for zone, rows in truth.zones.items():
        totals = journal.zone_totals(zone)
        assert totals[-1] == sum(rows.values())
        assert totals == sorted(totals)
    assert journal.at_ns[-1] == truth.at_ns
    floor = [journal.value("package-0/floor", at) for at in journal.at_ns]
    assert floor[-1] == truth.zones["package-0"]["floor"]
    middle = (journal.at_ns[4] + journal.at_ns[5]) // 2
    assert journal.value("package-0/floor", middle) == pytest.approx(
        (floor[4] + floor[5]) / 2, abs=1
    )
    assert journal.value("package-0/floor", 0) == floor[0]
    assert journal.value("package-0/floor", truth.at_ns + 10**9) == floor[-1]


def test_a_process_is_charged_its_own_cpu_time_at_its_groups_watts(tmp_path: Path) -> None:
    truth = run_plant(Scenario(groups=(SMALL,)), tmp_path, seconds=1.5)
    (process,) = truth.processes
    group = truth.groups["small"]

    assert process.ended
    assert group.cpu_ns == process.cpu_ns
    assert 0.05e9 < process.cpu_ns < 0.6e9  # 20 % of 1.5 s, on a machine that others use too
    assert process.package_uj == pytest.approx(process.cpu_ns * 5 / 1000, abs=50)
    assert group.package_uj == pytest.approx(process.package_uj, abs=50)
    assert truth.zones["package-0"]["floor"] == pytest.approx(
        10e6 * (truth.at_ns - truth.started_ns) / 1e9, abs=2
    )


def test_every_short_lived_process_is_in_the_truth(tmp_path: Path) -> None:
    churn = Churn(processes=21, burst_ms=3, lanes=2)
    group = Group(name="churn", cgroup="", commands=(churn,))
    truth = run_plant(Scenario(groups=(group,)), tmp_path, seconds=2.0)
    lanes = [p for p in truth.processes if not p.lane]
    bursts = [p for p in truth.processes if p.lane]

    assert len(bursts) == 21
    assert {p.lane for p in bursts} == {p.pid for p in lanes}
    assert all(p.ended and 2.9e6 < p.cpu_ns < 60e6 for p in bursts)
    assert sum(p.cpu_ns for p in (*lanes, *bursts)) == truth.groups["churn"].cpu_ns
    assert truth.groups["churn"].processes == 23


def test_children_in_python_do_the_same_where_there_is_no_compiler(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    commands = (Burn(load=0.5), Churn(processes=3), Run(argv=("true",)))
    group = Group(name="python", cgroup="", commands=commands)
    truth = run_plant(Scenario(groups=(group,)), tmp_path, seconds=1.5)

    assert truth.groups["python"].processes == 6
    assert truth.groups["python"].cpu_ns > 0.15e9


def test_the_rest_of_the_machine_is_a_row_of_its_own(tmp_path: Path) -> None:
    spin = "import time\nwhile time.process_time() < 0.4: pass"
    with Plant(tmp_path, Scenario(groups=(SMALL,))) as plant:
        before = plant.truth().rest_cpu_ns
        subprocess.run([sys.executable, "-c", spin], check=True)
        wait_until(lambda: plant.truth().rest_cpu_ns - before > 0.35e9)


def test_the_plants_own_time_is_not_its_testers(tmp_path: Path) -> None:
    used = time.process_time()
    with Plant(tmp_path) as plant:
        first = counter(plant.sysfs)
        wait_until(lambda: counter(plant.sysfs) > first)
        assert plant.pid != os.getpid()
    last = plant.truth()

    assert last.finished
    assert last.counters["package-0"] == counter(plant.sysfs)
    assert time.process_time() - used < 0.3


def test_a_counter_wraps_and_resets(tmp_path: Path) -> None:
    scenario = Scenario(
        start_uj=999_000, wraps_at_uj=1_000_000, resets_at_s=(0.3,), floor_watts=5.0, groups=()
    )
    truth = run_plant(scenario, tmp_path, seconds=0.7)
    total = sum(truth.zones["package-0"].values())

    assert total > 3_000_000
    assert truth.counters["package-0"] < 1_000_000
    # The reset dropped what came before it, so the counter is not where wraps alone put it.
    assert truth.counters["package-0"] != (999_000 + total) % 1_000_000


def test_energy_goes_on_behind_a_failing_sensor(tmp_path: Path) -> None:
    fault = Fault(zone="package-0", at_s=0.2, for_s=0.6, kind="garbage")
    with Plant(tmp_path, Scenario(faults=(fault,))) as plant:
        path = plant.sysfs / "class/powercap/intel-rapl:0/energy_uj"
        wait_until(lambda: not path.read_text().startswith("not"))
        wait_until(lambda: path.read_text().startswith("not"))
        wait_until(lambda: not path.read_text().startswith("not"))
    truth = plant.truth()
    assert risen(truth, plant.scenario)["package-0"] == sum(truth.zones["package-0"].values())


def test_sockets_share_the_cpus_and_pinned_groups_heat_their_own(tmp_path: Path) -> None:
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) < 2:
        pytest.skip("needs two CPUs")
    group = Group(name="pinned", cgroup="", cpus=(cpus[-1],), commands=(Burn(load=0.5),))
    truth = run_plant(Scenario(sockets=2, groups=(group,)), tmp_path, seconds=1.0)

    assert truth.zones["package-0"]["pinned"] == 0
    assert truth.zones["package-1"]["pinned"] > 100_000


def test_no_child_outlives_the_plant(tmp_path: Path) -> None:
    group = Group(name="long", cgroup="", commands=(Run(argv=("sleep", "1000"), count=3),))
    with Plant(tmp_path, Scenario(groups=(group,))) as plant:
        pids = [p.pid for p in plant.truth().processes]
        assert all(Path(f"/proc/{pid}").exists() for pid in pids)

    assert len(pids) == 3
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


@pytest.mark.root
def test_a_group_is_a_container_whose_cgroup_counts_it(tmp_path: Path) -> None:
    try:
        GroupCgroup("/wattribute-plant-probe").remove()
    except CgroupUnavailable as exc:
        pytest.skip(f"cgroups cannot be made here: {exc}")
    commands = (Churn(processes=40, burst_ms=4, per_second=40), Burn(load=0.1))
    scenario = Scenario(groups=(Group(name="pod", commands=commands),))
    with Plant(tmp_path, scenario) as plant:
        wait_until(lambda: sum(p.ended for p in plant.truth().processes) >= 40)
        first = plant.truth()
        pid = next(p.pid for p in first.processes if not p.ended and not p.lane)  # stays
        cgroups = Path(f"/proc/{pid}/cgroup").read_text()
    truth = plant.truth()
    group = truth.groups["pod"]

    assert group.cgroup == f"/docker/{group.container_id}"
    assert len(group.container_id) == 64
    assert group.cgroup in cgroups
    # The cgroup's counter and wait4(2) are two books of the kernel: they agree.
    assert sum(p.cpu_ns for p in truth.processes) == pytest.approx(group.cpu_ns, rel=0.05)
    assert not list(Path("/sys/fs/cgroup").glob(f"**/docker/{group.container_id}"))


def test_without_cgroups_the_processes_are_counted_and_a_note_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise CgroupUnavailable("/sys/fs/cgroup/docker: Permission denied")

    monkeypatch.setattr("wattribute_testing.plant.run.GroupCgroup", refuse)
    group = Group(name="plain", commands=(Burn(load=0.3),))
    truth = run_plant(Scenario(groups=(group,)), tmp_path, seconds=0.6)

    assert truth.groups["plain"].cgroup == ""
    assert truth.groups["plain"].cpu_ns == truth.processes[0].cpu_ns > 0
    assert "Permission denied" in truth.notes[0]


@pytest.mark.parametrize(
    ("scenario", "says"),
    [
        ({"groups": [{"name": "rest"}]}, "row of the plant's own"),
        ({"groups": [{"name": "a"}, {"name": "a"}]}, "same name"),
        ({"groups": [{"name": "a", "watts_per_core": [[5, 1], [2, 1]]}]}, "rising time"),
        (
            {"groups": [{"name": "a", "commands": [{"kind": "burn", "load": 1.5}]}]},
            "within 0 and 1",
        ),
        ({"faults": [{"zone": "gpu-0", "at_s": 1, "for_s": 1}]}, "no zone gpu-0"),
        ({"sockets": 4096}, "this machine has"),
        ({"cap_watts": 5, "floor_watts": 10}, "above floor_watts"),
        (
            {
                "groups": [
                    {
                        "name": "a",
                        "commands": [{"kind": "burn", "load": {"every_s": 0.5, "for_s": 3600}}],
                    }
                ]
            },
            "more than 4096 points",
        ),
        ({"groups": [{"name": "a", "cpus": [4095]}]}, "CPU 4095 cannot be used"),
        ({"flor_watts": 3}, "unknown field `flor_watts`"),
        ({"floor_watts": "hot"}, "$.floor_watts"),
    ],
)
def test_a_wrong_scenario_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], scenario: dict[str, object], says: str
) -> None:
    file = tmp_path / "scenario.json"
    file.write_text(json.dumps(scenario))

    assert main([str(file), str(tmp_path / "sys"), "--seconds", "0.1"]) == 2
    errors = capsys.readouterr().err
    assert says in errors
    assert errors.count("\n") == 1


def test_a_command_that_fails_is_noted(tmp_path: Path) -> None:
    group = Group(name="broken", cgroup="", commands=(Run(argv=("false",)),))
    truth = run_plant(Scenario(groups=(group,)), tmp_path, seconds=0.5)

    assert truth.notes == (f"broken: process {truth.processes[0].pid} ended with status 1",)


def test_a_plant_that_cannot_start_says_why(tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid, match="simulated packages need as many CPUs"):
        Plant(tmp_path, Scenario(sockets=4096)).__enter__()


def test_a_scenario_survives_json() -> None:
    scenario = Scenario(
        groups=(SMALL, Group(name="b", watts_per_core=((0.0, 1.0), (5.0, 2.0)))),
        faults=(Fault(zone="dram-0", at_s=1, for_s=2, kind="vanish"),),
    )

    assert msgspec.json.decode(msgspec.json.encode(scenario), type=Scenario) == scenario
