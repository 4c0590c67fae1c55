"""Recordings become programs, and programs a world whose truth is what was recorded."""

from pathlib import Path

import numpy as np
import pytest
from bench.accuracy.recordings.greenlab import read_ase26, read_enviroinfo2025
from bench.accuracy.recordings.nx12 import read_nx12
from bench.accuracy.recordings.program import Events, Program
from bench.accuracy.recordings.scenarios import NoRecording, recordings
from bench.accuracy.recordings.superpose import Superposition, superpose
from bench.accuracy.recordings.trace import NotATrace, programs_of, read_trace, together

from wattribute.core.units import Microjoules, Nanoseconds
from wattribute.models.recording.trace import COLUMNS, TraceRow, write_rows

PACKAGES = "Timestamp,Domain,Power (Watts),DRAM Power (Watts), Energy (micro joules),DRAM Energy\n"
TICKS = "SourceFile,Timestamp,userTime (Ticks),systemTime (Ticks)\n"


def program(name: str, watts_per_thread: float, use: float = 2.0) -> Program:
    steps = np.full(50, use)
    events = Events(steps * 3e9, steps * watts_per_thread * 1e9, steps * 1e6)
    return Program(name, 2.0, steps, steps * watts_per_thread, events)


def test_pods_replay_what_was_recorded_under_one_common_curve() -> None:
    plan = Superposition(pods=3, hours=0.2, tick_s=2.0, pause_s=60, counters=True)
    world = superpose([program("a", 3.0), program("b", 6.0)], plan, 0)
    running = world.use == 2.0

    assert world.threads == 12
    assert 0.1 < running.mean() < 0.9  # there are pauses
    assert (world.true_watts[world.use == 0] == 0).all()
    together = running[:, 0] & running[:, 1]
    ratio = world.true_watts[together, 1] / world.true_watts[together, 0]
    assert ratio == pytest.approx(2.0)
    alone = running.sum(1) == 1
    load = 2 / 12
    expected = 6.0 * (1 - 0.3 * load) * (1 - 0.1 * load)
    assert world.true_watts[alone & running[:, 0], 0] == pytest.approx(expected)
    assert world.power_watts.mean() == pytest.approx(40 + world.true_watts.sum(1).mean(), rel=0.01)
    assert world.counters is not None
    assert world.counters.instructions[running[:, 0], 0] == pytest.approx(6e9)


def test_a_tick_is_the_mean_of_its_steps_and_no_pauses_are_none() -> None:
    steps = np.tile([1.0, 3.0], 25)
    plan = Superposition(pods=1, hours=0.1, tick_s=4.0, pause_s=0)
    world = superpose([Program("a", 2.0, steps, steps)], plan, 0)

    assert world.use == pytest.approx(2.0)


def test_pods_of_one_program_can_have_one_owner() -> None:
    plan = Superposition(pods=4, hours=0.1, one_owner_per_program=True)

    owners = superpose([program("a", 1.0), program("b", 2.0)], plan, 0).owners

    assert owners.tolist() == [0, 1, 0, 1]


def test_the_shipped_recording_has_sixteen_busy_stretches() -> None:
    programs = read_nx12()

    assert len(programs) == 16
    assert len({len(one.use) for one in programs}) == 1
    assert min(float(one.use.min()) for one in programs) > 0.5
    per_thread = [float(one.watts.sum() / one.use.sum()) for one in programs]
    assert max(per_thread) > 1.3 * min(per_thread)  # programs cost differently: nothing else counts


def ticks(first: int, jiffies: float) -> str:
    rows = [f"/proc/stat,{first + 1000 * s},{round(jiffies * s)},0" for s in range(60)]
    rows += [f"/proc/7/stat,{first + 1000 * s},9,9" for s in range(60)]
    return TICKS + "\n".join(rows) + "\n"


def test_folders_of_enviroinfo2025_are_read_by_kind_of_run(tmp_path: Path) -> None:
    for name, watts in (("x_CPU100", 8), ("y_CPU100", 16), ("x-DISABLED_TURBO_CPU100", 4)):
        folder = tmp_path / name / "01-01-2025" / "X86"
        folder.mkdir(parents=True)
        rows = [f"{1000 * s},package-0,0,0,{watts * 1_000_000 * s},0" for s in range(60)]
        (folder / "raplResults_x86").write_text(PACKAGES + "\n".join(rows) + "\ncut,li")
        (folder / "procfsResults_x86").write_text(ticks(400, 200))
    turbo = read_enviroinfo2025(tmp_path, "_CPU100")

    assert [one.name for one in turbo] == ["x_CPU100", "y_CPU100"]
    assert turbo[0].use == pytest.approx(2.0)
    assert turbo[1].watts == pytest.approx(16 - 0.576)
    (slow,) = read_enviroinfo2025(tmp_path, "DISABLED_TURBO")
    assert slow.watts == pytest.approx(4 - 0.576)
    with pytest.raises(FileNotFoundError, match="_NONE"):
        read_enviroinfo2025(tmp_path, "_NONE")


def test_folders_of_ase26_add_the_packages_up_and_take_the_least_as_idle(tmp_path: Path) -> None:
    for name, watts in (("none", 20), ("jmeter", 50)):
        folder = tmp_path / "230" / name
        folder.mkdir(parents=True)
        rows = [
            f"{1000 * s},package-{socket},{watts * 500_000 * s},0"
            for s in range(60)
            for socket in (0, 1)
        ]
        header = "Timestamp,Domain, Energy (micro joules), DRAM Energy (micro joules)\n"
        (folder / "powercap_a.csv").write_text(header + "\n".join(rows) + "\n")
        (folder / "procfs_a.csv").write_text(ticks(0, 400))
    programs = {one.name: one for one in read_ase26(tmp_path, 80)}

    assert programs["230/jmeter"].watts == pytest.approx(30.0)
    assert programs["230/jmeter"].use == pytest.approx(4.0)
    assert programs["230/none"].watts == pytest.approx(0.01)
    with pytest.raises(FileNotFoundError, match="powercap"):
        read_ase26(tmp_path / "nothing", 80)


def test_data_that_are_not_here_are_asked_for_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ASE26", raising=False)

    with pytest.raises(NoRecording, match="ASE26 is not set"):
        recordings()["ase26, 16 pods"](0)


def trace(tmp_path: Path) -> Path:
    """Idle 10 W and half a thread; a takes 1 thread at 4 W, b 2 at 8 W each, b without counters."""
    rows = []
    for number, (phase, use, watts) in enumerate(
        [("idle", 0.5, 10), ("alone a", 1.5, 14), ("alone b", 2.5, 26), ("together", 3.5, 29)]
    ):
        for second in range(10):
            start, end = (Nanoseconds((number * 10 + second + n) * 10**9) for n in (0, 1))
            part = Microjoules(watts * 500_000)
            rows += [
                TraceRow(phase, start, end, "zone", "package-0", part),
                TraceRow(phase, start, end, "zone", "dram-0", part),
                TraceRow(phase, start, end, "zone", "platform-0", Microjoules(99_000_000)),
                TraceRow(phase, start, end, "node", "", cpu_ns=round(use * 1e9)),
            ]
            if phase in ("alone a", "together"):
                rows.append(
                    TraceRow(phase, start, end, "workload", "a", None, 10**9, 3 * 10**9, 5, 7)
                )
            if phase in ("alone b", "together") and second < 8:
                rows.append(TraceRow(phase, start, end, "workload", "b", None, 2 * 10**9))
    file = tmp_path / "host.csv"
    with file.open("w") as lines:
        lines.write(",".join(COLUMNS) + "\n")
        write_rows(lines, rows)
    return file


def test_a_trace_gives_the_programs_that_ran_alone(tmp_path: Path) -> None:
    a, b = programs_of(read_trace(trace(tmp_path)))

    assert (a.name, b.name) == ("a", "b")
    assert a.step_s == pytest.approx(1.0)
    assert a.use == pytest.approx(1.0)
    assert a.watts == pytest.approx(4.0)
    assert b.watts / b.use == pytest.approx(8.0)
    assert a.events is not None
    assert a.events.cycles == pytest.approx(3e9)
    assert a.events.misses == pytest.approx(7)
    assert b.events is None


def test_a_trace_shows_what_they_did_together_and_what_they_should_have(tmp_path: Path) -> None:
    world = together(read_trace(trace(tmp_path)))

    assert world.ticks == 10
    assert world.power_watts == pytest.approx(29.0)
    assert world.floor_watts == pytest.approx(10.0)
    assert world.use[0] == pytest.approx([1.0, 2.0])
    assert world.use[9] == pytest.approx([1.0, 0.0])
    assert world.true_watts[0] == pytest.approx([4.0, 16.0])


def test_traces_of_a_folder_are_recordings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trace(tmp_path)
    monkeypatch.setenv("TRACES", str(tmp_path))

    assert recordings()["host, together"](0).use.shape == (10, 2)
    assert recordings()["host, 16 pods"](0).use.shape[1] == 16


def test_what_is_no_trace_or_has_no_idle_phase_is_said(tmp_path: Path) -> None:
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    (tmp_path / "busy.csv").write_text(",".join(COLUMNS) + "\n")

    with pytest.raises(NotATrace, match="not a trace"):
        read_trace(tmp_path / "other.csv")
    with pytest.raises(NotATrace, match="no phase idle"):
        programs_of(read_trace(tmp_path / "busy.csv"))
