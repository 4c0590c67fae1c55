"""``wattribute dev try meter``: one meter alone, and whether it does what its facts say."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from wattribute.node.meter import rapl
from wattribute_testing import FakeSysfs

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def sysfs(tmp_path: Path) -> FakeSysfs:
    return FakeSysfs(tmp_path / "sys").rapl("intel-rapl:0", "package-0", 5_000_000)


def test_a_meter_alone_shows_its_zones_and_readings(sysfs: FakeSysfs, call: Call) -> None:
    flags = ("--seconds", "0.01", "--sysfs", str(sysfs.root))

    code, out, err = call("dev", "try", "meter", "rapl", *flags)

    assert (code, err) == (0, "")
    assert out.splitlines()[0].startswith("rapl: works; sees CPU packages")
    row = next(line for line in out.splitlines() if "package-0" in line)
    assert "counter 5.000 J" in row
    assert row.rstrip().endswith("0.000")


def test_everything_it_says_in_json(sysfs: FakeSysfs, call: Call) -> None:
    sysfs.rapl("intel-rapl:1", "package-1", "broken")
    flags = ("--seconds", "0.01", "--json", "--sysfs", str(sysfs.root))

    code, out, _ = call("dev", "try", "meter", "rapl", *flags)

    report = json.loads(out)
    assert code == 0
    assert report["state"] == "works"
    assert "package-0" in [zone["zone"] for zone in report["zones"]]
    assert report["zones"][0]["power_watts"] == 0
    assert "intel-rapl:1" in report["problems"][0]


def test_a_meter_that_is_not_there_says_why(tmp_path: Path, call: Call) -> None:
    code, out, _ = call("dev", "try", "meter", "rapl", "--sysfs", str(tmp_path))

    assert code == 1
    assert out.splitlines()[0].startswith("rapl: absent")
    assert "no RAPL zone" in out


def test_a_zone_that_the_facts_do_not_name_is_said(
    sysfs: FakeSysfs, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = replace(rapl.BACKEND, kinds=frozenset({"dram"}), sources=frozenset({"hwmon"}))
    monkeypatch.setattr(rapl, "BACKEND", wrong)

    flags = ("--seconds", "0", "--sysfs", str(sysfs.root))
    code, _, err = call("dev", "try", "meter", "rapl", *flags)

    assert code == 1
    assert "add 'package' to BACKEND.kinds" in err
    assert "add 'rapl-sysfs' to BACKEND.sources" in err


def test_an_unknown_meter_names_those_that_there_are(call: Call) -> None:
    code, _, err = call("dev", "try", "meter", "raple")

    assert code == 2
    assert "raple: no such meter; there are replay, rapl, hwmon" in err
