"""Power through ipmitool: a program of ours stands in for it."""

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattribute.core.errors import MeterAbsent, MeterDenied, MeterFailed
from wattribute.core.records import Gauge, Zone
from wattribute.core.units import nanoseconds
from wattribute.node.meter import ipmi_source as ipmi
from wattribute.node.meter.ipmi_source import IpmiSource, dcmi_power, open_ipmi
from wattribute_testing import FakeSysfs

SAID = """
    Instantaneous power reading:                   220 Watts
    Minimum during sampling period:                 13 Watts
    Maximum during sampling period:                428 Watts
    Average power reading over sample period:      219 Watts
    IPMI timestamp:                           Thu Jan  1 00:00:00 1970
    Sampling period:                          00000001 Seconds.
    Power reading state is:                   activated


"""
ZONE = Zone("platform", "0", "ipmi")


def program(folder: Path, script: str) -> str:
    path = folder / "ipmitool"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def saying(folder: Path, text: str, code: int = 0) -> IpmiSource:
    (folder / "said").write_text(text)
    to = " >&2" if code else ""
    return IpmiSource(program(folder, f"cat {folder}/said{to}; exit {code}"))


def test_the_power_now_is_read(tmp_path: Path) -> None:
    assert saying(tmp_path, SAID).poll() == {ZONE: Gauge(220_000_000)}


def test_it_asks_for_what_the_documentation_names(tmp_path: Path) -> None:
    (tmp_path / "said").write_text(SAID)
    script = f'[ "$*" = "dcmi power reading" ] && cat {tmp_path}/said'

    assert IpmiSource(program(tmp_path, script)).poll() == {ZONE: Gauge(220_000_000)}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (SAID.replace("activated", "deactivated"), "dcmi power activate"),
        (SAID.replace("  220 W", "    0 W"), "says 0 watts"),
        (SAID.replace("220 Watts", "-5 Watts"), "does not say what it should"),
        (SAID + SAID, "measure power now|does not say"),
        ("", "does not say what it should"),
        (SAID.replace("Instantaneous", "Average"), "does not say what it should"),
    ],
)
def test_what_is_no_reading(text: str, message: str) -> None:
    with pytest.raises(MeterFailed, match=message):
        dcmi_power(text)


@given(st.text())
def test_no_text_crashes_it(text: str) -> None:
    with pytest.raises(MeterFailed):
        dcmi_power(text)


def test_errors_of_the_program_are_said(tmp_path: Path) -> None:
    with pytest.raises(MeterFailed, match=r"reading: DCMI request failed because: Invalid"):
        saying(tmp_path, "\n DCMI request failed because:\n Invalid command (c1)\n", 1).poll()
    with pytest.raises(MeterDenied, match="needs root"):
        saying(tmp_path, "Could not open device at /dev/ipmi0: Permission denied", 1).poll()
    with pytest.raises(MeterFailed, match="no such file"):
        IpmiSource(str(tmp_path / "none")).poll()


def test_a_program_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ipmi, "_TIMEOUT_S", 0.1)
    began = time.monotonic()
    with pytest.raises(MeterFailed, match="did not end"):
        IpmiSource(program(tmp_path, "exec sleep 30")).poll()
    assert time.monotonic() - began < 5


def test_closing_ends_a_program_that_hangs(tmp_path: Path) -> None:
    sysfs = FakeSysfs(tmp_path / "sys").write("class/ipmi/ipmi0/dev", "240:0")
    meter = open_ipmi(sysfs.root, program(tmp_path, "exec sleep 30"), 10)
    meter.settle(0.1)
    began = time.monotonic()
    meter.close()

    assert time.monotonic() - began < 3
    assert not meter.running


def test_the_meter_is_there_where_the_kernel_has_a_bmc(tmp_path: Path) -> None:
    sysfs = FakeSysfs(tmp_path / "sys")
    (tmp_path / "said").write_text(SAID)
    tool = program(tmp_path, f"cat {tmp_path}/said")
    with pytest.raises(MeterAbsent, match="no BMC in class/ipmi"):
        open_ipmi(sysfs.root, tool, 10)
    sysfs.write("class/ipmi/ipmi0/dev", "240:0")
    with pytest.raises(MeterAbsent, match=r"none is not installed; see meter.ipmitool"):
        open_ipmi(sysfs.root, str(tmp_path / "none"), 10)
    meter = open_ipmi(sysfs.root, tool, 10)
    meter.settle(5)

    assert [reading.zone for reading in meter.read(nanoseconds(5))] == [ZONE]
    meter.close()
