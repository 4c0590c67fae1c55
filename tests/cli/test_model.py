"""``wattribute model``: the same bytes from the same data, and figures of any file."""

import csv
import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from wattribute.node.estimator.power_recording import decode_recording
from wattribute_testing import FakeProcfs, FakeSysfs

Call = Callable[..., tuple[int, str, str]]
COLUMNS = ("subset", "scope", "system_id", "vendor", "cpu_name", "cpu_make", "uarch", "uarch_year",
           "tdp_w", "chips", "cores", "threads", "mem_gb", "base_mhz", "util_pct", "load_kind",
           "watts")  # fmt: skip
CPU = ("intel", "cascadelake", 2019, 205, 2, 56, 112)


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """Twelve benchmark systems of four CPUs, one cloud host, one broken row."""
    path = tmp_path / "data" / "rows.csv"
    path.parent.mkdir()
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for cpu in range(4):
            for copy in range(3):
                for load in range(0, 101, 10):
                    watts = (60 + 10 * cpu + 5 * copy) * (1 + 4 * load / 100)
                    writer.writerow(
                        ("spec", "wall", f"s{cpu}-{copy}", "HPE", f"Intel Xeon Gold 62{cpu}0",
                         *CPU, 192 * (1 + copy), 2500, load, "specpower_ssj", watts)
                    )  # fmt: skip
        for load in range(0, 101, 10):
            for scope, watts in (("pkg", 60 + 4 * load), ("dram", 10 + load / 5)):
                writer.writerow(
                    ("cloud", scope, "c", "", "Intel Xeon Platinum 8280", *CPU, 384, "", load,
                     "stress-ng", watts)
                )  # fmt: skip
        writer.writerow(("spec", "wall", "bad", "", "", *CPU, 192, 2500, 50, "x", "nan"))
    return path


def test_train_and_evaluate(rows: Path, tmp_path: Path, call: Call) -> None:
    one, other, card = tmp_path / "a.json", tmp_path / "b.json", tmp_path / "card.md"

    code, out, err = call("model", "train", "--data", str(rows.parent), "--out", str(one),
                          "--card", str(card))  # fmt: skip
    assert code == 0
    assert str(one) in out
    assert "left out: row ? (line 156): watts is 'nan'" in err
    assert "left out: 1 rows: watts broken" in err
    assert "# The power model" in card.read_text()
    call("model", "train", "--data", str(rows.parent), "--out", str(other))
    assert one.read_bytes() == other.read_bytes()

    code, out, _ = call("model", "evaluate", "--data", str(rows), "--model", str(one))
    assert code == 0
    assert "spec wall (tuned)" in out
    assert "at 100 % load" in out
    assert "left out: row ? (line 156): watts is 'nan'" in out

    written = tmp_path / "figures.json"
    code, out, _ = call("model", "evaluate", "--data", str(rows), "--calibrate", "idle", "--json",
                        "--out", str(written))  # fmt: skip
    assert code == 0
    body = json.loads(out)
    assert json.loads(written.read_text()) == body
    assert body["model"] == "wattribute-power 1"
    assert body["left_out"]["given to the model as the idle reading"] == 14
    assert {group["scope"] for group in body["groups"]} == {"wall", "pkg", "dram"}


def test_what_cannot_be_read_is_one_line(tmp_path: Path, call: Call) -> None:
    code, _, err = call("model", "evaluate", "--data", str(tmp_path / "gone.csv"))
    assert code == 5
    assert err == f"wattribute: error: {tmp_path}/gone.csv: No such file or directory\n"

    code, _, err = call("model", "train", "--data", str(tmp_path), "--out", str(tmp_path / "x"))
    assert code == 5
    assert "no CSV file with the columns" in err

    odd = tmp_path / "odd.json"
    odd.write_text("{}")
    (tmp_path / "rows.csv").write_text("scope,system_id,util_pct,watts\n")
    code, _, err = call(
        "model", "evaluate", "--data", str(tmp_path / "rows.csv"), "--model", str(odd)
    )
    assert code == 2
    assert "not a model artefact" in err


def test_a_file_without_a_row_that_can_be_scored_is_a_negative_answer(
    tmp_path: Path, call: Call
) -> None:
    empty = tmp_path / "rows.csv"
    empty.write_text("scope,system_id,util_pct,watts\nmoon,a,5,5\n")

    code, out, _ = call("model", "evaluate", "--data", str(empty))

    assert code == 1
    assert "left out: 1 rows: unknown scope 'moon'" in out


def recording(digest: str) -> bytes:
    """A made recording of a machine whose packages draw 200 to 400 W."""
    points = [
        {"scope": "pkg", "utilisation": u, "watts": 200 * (1 + u), "seconds": 30}
        for u in (0, 0.5, 1)
    ]
    return json.dumps(
        {
            "schema": 1, "version": "0", "recorded_at": "2026-01-02T03:04:05Z", "how": "steps",
            "machine_digest": digest * 16, "points": points,
            "machine": {"cpu_name": "AMD EPYC 9354 32-Core Processor", "packages": 2, "cores": 64,
                        "threads": 128, "memory_bytes": 384_000_000_000},
        }
    ).encode()  # fmt: skip


def test_train_from_recordings_alone_and_a_quarantine(tmp_path: Path, call: Call) -> None:
    folder, out = tmp_path / "recordings", tmp_path / "taught.json"
    folder.mkdir()
    for digest in "ab":
        (folder / f"{digest}.json").write_bytes(recording(digest))
    (folder / "c.json").write_text("{}")

    code, _, err = call("model", "train", "--recordings", str(folder), "--out", str(out))
    assert code == 0
    assert "left out: c.json: not a power recording" in err
    assert "learned from 2 recordings of 2 machines" in err
    assert "pkg: each of 2 machines predicted from the others: median error" in err
    assert "epyc-9354" in json.loads(out.read_text())["fleet"]["cpu"]

    out.unlink()
    (folder / "QUARANTINE").touch()
    code, shown, err = call("model", "train", "--recordings", str(folder), "--out", str(out))
    assert code == 1
    assert shown.count("AMD EPYC 9354") == 2
    assert "2 recordings in quarantine" in err
    assert not out.exists()
    code, _, _ = call(
        "model", "train", "--recordings", str(folder), "--accept", "all", "--out", str(out)
    )
    assert code == 0
    assert out.exists()

    code, _, err = call("model", "train", "--out", str(out))
    assert code == 2
    assert "Pass --data DIR, --recordings DIR, or both" in err


@pytest.fixture
def bare_metal(tmp_path: Path) -> tuple[str, ...]:
    """Flags for a server whose packages' counters stand still."""
    sysfs = FakeSysfs(tmp_path / "sys").cpus(packages=2, cores=16, threads=2)
    for package in (0, 1):
        sysfs.rapl(f"intel-rapl:{package}", f"package-{package}", 0)
        sysfs.write(f"class/powercap/intel-rapl:{package}/constraint_0_max_power_uw", 155_000_000)
    procfs = FakeProcfs(tmp_path / "proc", cpus=64)
    (tmp_path / "proc/cpuinfo").write_text("model name\t: AMD EPYC 7302 16-Core Processor\n")
    return "--sysfs", str(sysfs.root), "--procfs", str(procfs.root)


def test_collect_without_anything_to_keep_is_a_negative_answer(
    bare_metal: tuple[str, ...], tmp_path: Path, call: Call
) -> None:
    out = tmp_path / "recording.json"

    code, _, err = call("model", "collect", "--operation", "0.05", "--out", str(out), *bare_metal)

    assert code == 1
    assert "operation: 1 of 3 s" in err
    assert "Nothing recorded" in err
    assert not out.exists()


def test_collect_steps_writes_what_train_takes(
    bare_metal: tuple[str, ...], tmp_path: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    sysfs = FakeSysfs(tmp_path / "sys")
    stop = threading.Event()

    def run() -> None:
        used_uj = 0
        while not stop.wait(0.05):
            used_uj += 5_000_000
            for package in (0, 1):
                sysfs.energy(f"intel-rapl:{package}", used_uj)

    monkeypatch.setattr("wattribute.models.recording.stress.Stress.set", lambda *_: None)
    sensors = threading.Thread(target=run)
    sensors.start()
    try:
        code, shown, err = call(
            "model", "collect", "--levels", "0", "--seconds", "2", "--settle", "0",
            "--out", str(tmp_path / "recording.json"), *bare_metal,
        )  # fmt: skip
    finally:
        stop.set()
        sensors.join()

    assert code == 0
    assert "0% load: " in err
    assert "packages       0" in shown
    recording = decode_recording((tmp_path / "recording.json").read_bytes())
    assert recording.machine.packages == 2
    assert recording.tdp_watts == 155
    (point,) = recording.points
    assert 20 < point.watts < 250  # 2 x 100 W, by a thread that may be late
    code, _, err = call(
        "model", "train", "--recordings", str(tmp_path), "--out", str(tmp_path / "out")
    )
    assert code == 0
    assert "learned from 1 recording of 1 machine\n" in err


def test_collect_refuses_what_teaches_nothing(
    bare_metal: tuple[str, ...], tmp_path: Path, call: Call
) -> None:
    out = str(tmp_path / "recording.json")
    code, _, err = call("model", "collect", "--levels", "0,200", "--out", out, *bare_metal)
    assert code == 2
    assert "--levels 0,200: numbers from 0 to 100" in err
    code, _, err = call("model", "collect", "--out", "/nowhere/at/all", *bare_metal)
    assert code == 2
    assert "there is no folder /nowhere/at" in err

    (tmp_path / "proc/cpuinfo").write_text("flags\t: fpu hypervisor\nmodel name\t: AMD EPYC\n")
    code, _, err = call("model", "collect", "--out", out, *bare_metal)
    assert code == 5
    assert "a virtual machine, whose meters do not show its host" in err
