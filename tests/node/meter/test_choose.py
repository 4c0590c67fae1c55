"""Which meters are used: no energy twice, and a reason for each that is not."""

from pathlib import Path

import pytest

from wattribute.core.errors import ConfigInvalid, MeterAbsent, MeterFailed
from wattribute.node.backends import ESTIMATE, METERS
from wattribute.node.meter.choose import ChosenMeters, choose_meters
from wattribute.node.settings import (
    ActivitySettings,
    MeterSettings,
    NodeSettings,
)
from wattribute_testing import FakeSysfs
from wattribute_testing.bmc import FakeBmc

MACHINES = Path(__file__).parents[2] / "machines"


@pytest.fixture
def sysfs(tmp_path: Path) -> FakeSysfs:
    (tmp_path / "proc").mkdir()
    return FakeSysfs(tmp_path / "sys")


def choose(sysfs: FakeSysfs, *names: str, replay: str = "") -> ChosenMeters:
    room = MeterSettings(sysfs=str(sysfs.root), use=names or ("auto",), replay=replay)
    procfs = str(sysfs.root.parent / "proc")
    return choose_meters(NodeSettings(meter=room, activity=ActivitySettings(procfs=procfs)))


def zones(chosen: ChosenMeters) -> dict[str, list[str]]:
    return {
        meter.name: [f"{zone.kind} {zone.id}" for zone in meter.zones] for meter in chosen.meters
    }


def states(chosen: ChosenMeters) -> dict[str, str]:
    return {f.name: f.state for f in chosen.findings}


def test_a_meter_that_is_there_works_and_the_others_say_why_not(sysfs: FakeSysfs) -> None:
    chosen = choose(sysfs.load(MACHINES / "two-sockets.tree"))

    assert zones(chosen) == {"rapl": ["package 0", "dram 0", "package 1", "dram 1"]}
    assert chosen.covered == {"cpu", "dram", "rapl"}
    assert states(chosen) == {
        "replay": "not used",
        "rapl": "works",
        "hwmon": "absent",
        "nvml": "absent",
        "amdsmi": "absent",
        "drm": "absent",
        "redfish": "absent",
        "ipmi": "absent",
    }


def test_a_meter_outside_auto_says_how_it_is_used(sysfs: FakeSysfs) -> None:
    replay = choose(sysfs).findings[0]

    assert (replay.name, replay.state) == ("replay", "not used")
    assert replay.message == "not part of `auto`; name it in --meters to use it"


def test_a_platform_meter_covers_the_machine(sysfs: FakeSysfs) -> None:
    chosen = choose(sysfs.load(MACHINES / "two-sockets.tree").load(MACHINES / "acpi.tree"))

    assert zones(chosen)["hwmon"] == ["platform 0"]
    assert {"cpu", "dram", "platform", "machine"} <= chosen.covered


def test_psys_is_a_platform_meter_too_and_not_of_the_whole_machine(sysfs: FakeSysfs) -> None:
    chosen = choose(sysfs.load(MACHINES / "laptop.tree"))

    assert "platform" in chosen.covered
    assert "machine" not in chosen.covered


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
    assert {"cpu", "dram", "platform"} <= chosen.covered


def test_a_guest_without_sensors_has_no_meter(sysfs: FakeSysfs) -> None:
    chosen = choose(sysfs)

    assert chosen.meters == ()
    assert chosen.covered == frozenset()
    assert states(chosen)["rapl"] == "absent"


def test_a_meter_that_works_in_part_says_what_does_not(sysfs: FakeSysfs) -> None:
    sysfs.load(MACHINES / "two-sockets.tree").write("class/powercap/intel-rapl:1:0/energy_uj", "")

    rapl = choose(sysfs).findings[1]

    assert rapl.state == "works"
    assert "intel-rapl:1:0/energy_uj: shows b'" in rapl.message


def test_what_failed_is_said_and_covers_nothing(sysfs: FakeSysfs) -> None:
    chosen = choose(sysfs.rapl("intel-rapl:0", "package-0", "broken"))

    assert states(chosen)["rapl"] == "failed"
    assert chosen.covered == frozenset()


def test_a_named_meter_that_is_not_there_is_an_error(sysfs: FakeSysfs) -> None:
    with pytest.raises(MeterAbsent, match=r"meter rapl, named in --meters: .*no RAPL zone"):
        choose(sysfs, "rapl")
    with pytest.raises(MeterFailed, match="meter rapl, named in --meters"):
        choose(sysfs.rapl("intel-rapl:0", "package-0", "broken"), "rapl")


def test_only_what_is_named_is_used(sysfs: FakeSysfs) -> None:
    sysfs.load(MACHINES / "two-sockets.tree")

    assert zones(choose(sysfs, "estimate")) == {}
    assert list(zones(choose(sysfs, "rapl"))) == ["rapl"]
    assert list(zones(choose(sysfs, "estimate", "rapl"))) == ["rapl"]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (
            ("raple",),
            f"unknown meter 'raple'; known are auto, {', '.join(METERS.names)}, {ESTIMATE}",
        ),
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
        choose_meters(NodeSettings(meter=MeterSettings(sysfs=str(sysfs.root), use=())))


def test_a_recorded_run_is_played(sysfs: FakeSysfs, tmp_path: Path) -> None:
    run = tmp_path / "run.jsonl"
    run.write_text(
        '{"format":"wattribute-run","version":1,"zones":'
        '[{"kind":"package","id":"0","source":"rapl-sysfs","form":"counter"}]}\n'
        '{"t_ns":0,"values":[5]}\n'
    )

    assert zones(choose(sysfs, "replay", replay=str(run))) == {"replay": ["package 0"]}


def test_a_bmc_covers_the_machine_even_before_it_answers(sysfs: FakeSysfs, tmp_path: Path) -> None:
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
        chosen = choose_meters(NodeSettings(meter=room, activity=activity), patience_s=0.01)
        for meter in chosen.meters:
            meter.close()

    assert [meter.name for meter in chosen.meters] == ["rapl", "redfish"]
    assert {"platform", "machine"} <= chosen.covered
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

    chosen = choose_meters(NodeSettings(meter=room, activity=activity))

    found = {finding.name: finding.message for finding in chosen.findings}
    assert found["ipmi"].endswith("none is not installed; see meter.ipmitool")
