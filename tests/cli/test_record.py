"""``wattribute dev record``: on a plant, read back by the bench; and what goes wrong."""

import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from bench.accuracy.recordings.trace import Rows, programs_of, read_trace, together

from wattribute_testing.plant import Plant, Scenario

Call = Callable[..., tuple[int, str, str]]
SPIN = shlex.join([sys.executable, "-S", "-c", "while True: pass"])


def total(rows: Rows, kind: str, column: str, name: str | None = None) -> int:
    return sum(int(r[column]) for r in rows if r["row"] == kind and name in (None, r["name"]))


@pytest.mark.xdist_group("machine")
def test_commands_are_recorded_alone_and_together_at_what_they_cost(
    call: Call, tmp_path: Path
) -> None:
    """The plant draws 12 W and, for each busy CPU, 4 W in the package and 0.5 in DRAM."""
    out = tmp_path / "trace.csv"
    with Plant(tmp_path / "plant", Scenario()) as plant:
        code, _, err = call(
            *("dev", "record", "--out", str(out), "--seconds", "1.5", "--interval", "0.3"),
            *("--sysfs", str(plant.sysfs), "--activity", "procfs", "--alone", SPIN),
            *("--alone", "true"),
        )
    trace = read_trace(out)
    name = Path(sys.executable).name

    assert code == 0
    assert "alone true: 3 of 6 s" in err
    assert trace.workloads == [name, "true"]
    assert list(trace.phases) == ["idle", f"alone {name}", "alone true", "together"]
    for rows in trace.phases.values():
        ends = [int(row["end_ns"]) for row in rows]
        elapsed_s = (max(ends) - min(int(row["start_ns"]) for row in rows)) / 1e9
        busy_s = total(rows, "node", "cpu_ns") / 1e9
        expected = 12 * elapsed_s + 4.5 * busy_s
        assert total(rows, "zone", "energy_uj") / 1e6 == pytest.approx(expected, rel=0.05)
    assert total(trace.phases[f"alone {name}"], "workload", "cpu_ns", name) > 0.2e9
    assert total(trace.phases["alone true"], "workload", "cpu_ns", name) == 0
    assert [program.name for program in programs_of(trace)] == trace.workloads
    assert together(trace).use[:, 0].mean() > 0.1


def test_without_a_meter_nothing_is_recorded(call: Call, tmp_path: Path) -> None:
    (tmp_path / "sys").mkdir()
    out = tmp_path / "trace.csv"

    code, _, err = call("dev", "record", "--out", str(out), "--sysfs", str(tmp_path / "sys"))

    assert code == 5
    assert "no meter of CPU packages" in err
    assert not out.exists()


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (("--alone", "no-such-program -x"), "no-such-program cannot be started"),
        (("--alone", "'open"), "No closing quotation"),
        (("--alone", " "), "give a command"),
        (("--out", "/nowhere/x.csv"), "/nowhere/x.csv"),
    ],
)
def test_wrong_flags_are_said_in_one_line(
    call: Call, tmp_path: Path, flags: tuple[str, ...], says: str
) -> None:
    with Plant(tmp_path / "plant", Scenario()) as plant:
        code, _, err = call(
            *("dev", "record", "--out", str(tmp_path / "x.csv"), "--seconds", "1"),
            *("--sysfs", str(plant.sysfs), "--activity", "procfs", *flags),
        )

    assert code == 2
    assert says in err.splitlines()[-1]
