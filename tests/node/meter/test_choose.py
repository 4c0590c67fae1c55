"""Which meters are used: no energy twice, and a reason for each that is not."""

from pathlib import Path

import pytest

from wattribute.core.errors import ConfigInvalid, MeterAbsent, MeterFailed
from wattribute.core.records import Machine
from wattribute.node.meter.choose import METERS, ChosenMeters, choose_meters
from wattribute.node.settings import (
    ActivitySettings,
    EstimatorSettings,
    MeterSettings,
    NodeSettings,
)
from wattribute_testing import FakeSysfs
from wattribute_testing.bmc import FakeBmc

MACHINES = Path(__file__).parents[2] / "machines"
BARE = Machine(cores=8, threads=16, memory_bytes=64_000_000_000)
GUEST = Machine(cores=2, threads=4, memory_bytes=16_000_000_000, hypervisor="kvm")


@pytest.fixture
def sysfs(tmp_path: Path) -> FakeSysfs:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/stat").write_text("cpu  1 0 1 9 0 0 0 0\ncpu0 1 0 1 9 0 0 0 0\nintr 1\n")
    return FakeSysfs(tmp_path / "sys")


def choose(
    sysfs: FakeSysfs, *names: str, machine: Machine = BARE, replay: str = ""
) -> ChosenMeters:
    room = MeterSettings(sysfs=str(sysfs.root), use=names or ("auto",), replay=replay)
    procfs = str(sysfs.root.parent / "proc")
    return choose_meters(
        NodeSettings(meter=room, activity=ActivitySettings(procfs=procfs)), machine
    )


def zones(chosen: ChosenMeters) -> dict[str, list[str]]:
    return {f.name: [f"{z.kind} {z.id}" for z in f.zones] for f in chosen.findings if f.zones}


def states(chosen: ChosenMeters) -> dict[str, str]:
    return {f.name: f.state for f in chosen.findings}


def test_rapl_measures_and_the_estimate_fills_the_rest(sysfs: FakeSysfs) -> None:
    chosen = choose(sysfs.load(MACHINES / "two-sockets.tree"))

    assert zones(chosen) == {
        "rapl": ["package 0", "dram 0", "package 1", "dram 1"],
        "estimate": ["other 0"],
    }
    assert [meter.name for meter in chosen.meters] == ["rapl", "estimate"]
    assert states(chosen) == {
        "replay": "not used",
        "rapl": "works",
        "hwmon": "absent",
        "nvml": "absent",
        "amdsmi": "absent",
        "drm": "absent",
        "redfish": "absent",
        "ipmi": "absent",
        "estimate": "works",
    }


def test_a_platform_meter_makes_an_estimate_of_the_rest_needless(sysfs: FakeSysfs) -> None:
    chosen = choose(sysfs.load(MACHINES / "two-sockets.tree").load(MACHINES / "acpi.tree"))

    assert zones(chosen)["hwmon"] == ["platform 0"]
    assert states(chosen)["estimate"] == "not used"
    assert "all components are measured" in chosen.findings[-1].message


def test_psys_is_a_platform_meter_too(sysfs: FakeSysfs) -> None:
    chosen = choose(sysfs.load(MACHINES / "laptop.tree"))

    assert zones(chosen)["estimate"] == ["dram 0"]


def test_hwmon_packages_are_not_counted_beside_rapls(sysfs: FakeSysfs) -> None:
    sysfs.load(MACHINES / "amd.tree").load(MACHINES / "amd-energy.tree")

    chosen = choose(sysfs)

    assert "hwmon" not in zones(chosen)
    assert chosen.findings[2].message.endswith(
        "CPU packages have another meter, and there is no platform power sensor"
    )


def test_grace_includes_its_memory_so_that_no_dram_is_estimated(sysfs: FakeSysfs) -> None:
    chosen = choose(sysfs.load(MACHINES / "grace.tree").cpus(packages=2))

    assert zones(chosen) == {"hwmon": ["package 0", "package 1", "platform 0", "platform 1"]}
    assert states(chosen)["estimate"] == "not used"


def test_a_guest_without_sensors_is_estimated(sysfs: FakeSysfs) -> None:
    chosen = choose(sysfs, machine=GUEST)

    assert zones(chosen) == {"estimate": ["package 0", "dram 0", "other 0"]}
    assert states(chosen)["rapl"] == "absent"


def test_a_meter_that_works_in_part_says_what_does_not(sysfs: FakeSysfs) -> None:
    sysfs.load(MACHINES / "two-sockets.tree").write("class/powercap/intel-rapl:1:0/energy_uj", "")

    rapl = choose(sysfs).findings[1]

    assert rapl.state == "works"
    assert "intel-rapl:1:0/energy_uj: shows b'" in rapl.message


def test_what_failed_is_estimated_and_said(sysfs: FakeSysfs) -> None:
    chosen = choose(sysfs.rapl("intel-rapl:0", "package-0", "broken"))

    assert states(chosen)["rapl"] == "failed"
    assert zones(chosen)["estimate"] == ["package 0", "dram 0", "other 0"]


def test_nothing_to_estimate_from_leaves_no_meter(sysfs: FakeSysfs) -> None:
    (sysfs.root.parent / "proc/stat").unlink()

    chosen = choose(sysfs)

    assert chosen.meters == ()
    assert chosen.findings[-1].state == "failed"
    assert "is procfs mounted there?" in chosen.findings[-1].message


def test_a_named_meter_that_is_not_there_is_an_error(sysfs: FakeSysfs) -> None:
    with pytest.raises(MeterAbsent, match=r"meter rapl, named in --meters: .*no RAPL zone"):
        choose(sysfs, "rapl")
    with pytest.raises(MeterFailed, match="meter rapl, named in --meters"):
        choose(sysfs.rapl("intel-rapl:0", "package-0", "broken"), "rapl")


def test_only_what_is_named_is_used(sysfs: FakeSysfs) -> None:
    sysfs.load(MACHINES / "two-sockets.tree")

    assert zones(choose(sysfs, "estimate")) == {"estimate": ["package 0", "dram 0", "other 0"]}
    assert list(zones(choose(sysfs, "rapl"))) == ["rapl"]
    assert zones(choose(sysfs, "estimate", "rapl"))["estimate"] == ["other 0"]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("raple",), f"unknown meter 'raple'; known are auto, {', '.join(METERS)}"),
        (("auto", "rapl"), "auto stands alone"),
        (("replay", "rapl"), "replay plays another machine"),
        (("replay",), "meter.replay: name the recorded run"),
    ],
)
def test_names_that_make_no_sense(names: tuple[str, ...], message: str, sysfs: FakeSysfs) -> None:
    with pytest.raises(ConfigInvalid, match=message):
        choose(sysfs, *names)


def test_no_name_at_all(sysfs: FakeSysfs) -> None:
    with pytest.raises(ConfigInvalid, match="no meter is named"):
        choose_meters(NodeSettings(meter=MeterSettings(sysfs=str(sysfs.root), use=())), BARE)


def test_an_artefact_that_nothing_can_read_is_an_error(sysfs: FakeSysfs) -> None:
    settings = NodeSettings(
        meter=MeterSettings(sysfs=str(sysfs.root)),
        activity=ActivitySettings(procfs=str(sysfs.root.parent / "proc")),
        estimator=EstimatorSettings(model="model.json"),
    )

    with pytest.raises(ConfigInvalid, match=r"estimator.model: model.json"):
        choose_meters(settings, BARE)


def test_a_recorded_run_is_played(sysfs: FakeSysfs, tmp_path: Path) -> None:
    run = tmp_path / "run.jsonl"
    run.write_text(
        '{"format":"wattribute-run","version":1,"zones":'
        '[{"kind":"package","id":"0","source":"rapl-sysfs","form":"counter"}]}\n'
        '{"t_ns":0,"values":[5]}\n'
    )

    assert zones(choose(sysfs, "replay", replay=str(run))) == {"replay": ["package 0"]}


def test_a_bmc_makes_an_estimate_of_the_rest_needless_even_before_it_answers(
    sysfs: FakeSysfs, tmp_path: Path
) -> None:
    sysfs.load(MACHINES / "two-sockets.tree")
    secret = tmp_path / "bmc"
    secret.touch(0o600)
    secret.write_text(f"username: {FakeBmc.username}\npassword: {FakeBmc.password}\n")
    activity = ActivitySettings(procfs=str(sysfs.root.parent / "proc"))
    with FakeBmc() as bmc:
        bmc.faults.delay_s = 20
        room = MeterSettings(
            sysfs=str(sysfs.root),
            redfish_url=bmc.url,
            redfish_credentials=str(secret),
            redfish_insecure=True,
        )
        chosen = choose_meters(NodeSettings(meter=room, activity=activity), BARE, patience_s=0.01)
        for meter in chosen.meters:
            meter.close()

    assert [meter.name for meter in chosen.meters] == ["rapl", "redfish", "estimate"]
    assert states(chosen)["estimate"] == "not used"
    assert states(chosen)["redfish"] == "failed"
    found = {finding.name: finding.message for finding in chosen.findings}
    assert found["redfish"] == "redfish: no answer yet"
    assert found["ipmi"] == "ipmi: another meter sees the whole machine"


def test_psys_is_not_the_whole_machine_so_that_the_bmc_is_asked_too(
    sysfs: FakeSysfs, tmp_path: Path
) -> None:
    sysfs.load(MACHINES / "laptop.tree").write("class/ipmi/ipmi0/dev", "240:0")
    room = MeterSettings(sysfs=str(sysfs.root), ipmitool=str(tmp_path / "none"))
    activity = ActivitySettings(procfs=str(sysfs.root.parent / "proc"))

    chosen = choose_meters(NodeSettings(meter=room, activity=activity), BARE)

    found = {finding.name: finding.message for finding in chosen.findings}
    assert found["ipmi"].endswith("none is not installed; see meter.ipmitool")
