"""``wattribute calibrate``: a number typed in, or read from a meter."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from wattribute_testing import FakeProcfs, FakeSysfs

Call = Callable[..., tuple[int, str, str]]


class Server:
    """Folders of a server without sensors."""

    def __init__(self, folder: Path, flags: str = "") -> None:
        self.sysfs = FakeSysfs(folder / "sys").cpus(packages=2, cores=16, threads=2)
        self.procfs = FakeProcfs(folder / "proc", cpus=64)
        (folder / "proc/cpuinfo").write_text(
            "vendor_id\t: AuthenticAMD\ncpu family\t: 23\nmodel\t\t: 49\n"
            f"model name\t: AMD EPYC 7302 16-Core Processor\nflags\t\t: fpu{flags}\n"
        )
        (folder / "proc/meminfo").write_text("MemTotal:       131072000 kB\n")
        self.file = folder / "calibration.json"
        self.flags = (
            "--sysfs", str(self.sysfs.root), "--procfs", str(self.procfs.root),
            "--file", str(self.file),
        )  # fmt: skip


@pytest.fixture
def server(tmp_path: Path) -> Server:
    return Server(tmp_path)


def test_an_idle_reading_is_kept_and_shown(server: Server, call: Call) -> None:
    code, out, err = call("calibrate", "--idle", "140", *server.flags)

    assert code == 0
    assert "BEFORE W" in out
    assert f"kept in {server.file}" in out
    assert f"estimator.calibration: {server.file}" in err
    kept = json.loads(server.file.read_text())["measured"]
    assert kept == [{"scope": "wall", "utilisation": 0.0, "watts": 140.0}]


def test_a_second_reading_joins_the_first_and_a_new_one_replaces_it(
    server: Server, call: Call
) -> None:
    call("calibrate", "--idle", "140", *server.flags)
    call("calibrate", "--full", "390", *server.flags)
    code, out, _ = call("calibrate", "--idle", "120", "--json", *server.flags)

    assert code == 0
    levels = json.loads(out)["machine"]
    assert levels[0]["watts"] == pytest.approx(120, rel=0.05)
    assert levels[-1]["watts"] == pytest.approx(390, rel=0.05)
    kept = {(m["utilisation"], m["watts"]) for m in json.loads(server.file.read_text())["measured"]}
    assert kept == {(0.0, 120.0), (1.0, 390.0)}


def test_a_meter_of_the_packages_is_read(server: Server, call: Call) -> None:
    server.sysfs.rapl("intel-rapl:0", "package-0", 0)
    server.procfs.start(100, b"init")

    code, _, err = call("calibrate", "--meter", "1", "--activity", "procfs", *server.flags)

    assert code == 5  # the fake counter stands still: 0 W is no reading
    assert "no meter of CPU packages" in err


@pytest.mark.parametrize(
    ("arguments", "message", "exit_code"),
    [
        ((), "no power given. Pass --idle W, --full W, or --meter", 2),
        (("--idle", "-5"), "are watts, more than 0", 2),
        (("--idle", "nan"), "are watts, more than 0", 2),
        (("--idle", "200", "--full", "150"), "is not more than", 2),
    ],
)
def test_numbers_that_cannot_be_are_refused(
    arguments: tuple[str, ...], message: str, exit_code: int, server: Server, call: Call
) -> None:
    code, _, err = call("calibrate", *arguments, *server.flags)

    assert code == exit_code
    assert message in err
    assert not server.file.exists()


def test_on_a_virtual_machine_there_is_nothing_to_type_in(tmp_path: Path, call: Call) -> None:
    guest = Server(tmp_path, flags=" hypervisor")

    code, _, err = call("calibrate", "--idle", "140", *guest.flags)

    assert code == 5
    assert "no instrument shows its part of the host" in err
