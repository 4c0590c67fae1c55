"""GPUs of Intel and AMD by their kernel drivers: trees of sysfs and fdinfo."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattribute.core.errors import MeterAbsent, MeterFailed
from wattribute.core.records import Counter, Gauge, GpuUsage
from wattribute.core.units import Nanoseconds
from wattribute.node.meter import GpuMeter
from wattribute.node.meter.drm import DrmMeter, EngineTimes
from wattribute.node.meter.fdinfo import Client, Clients, EngineTime, Seen, parse_client
from wattribute_testing import FakeSysfs
from wattribute_testing.drm import FakeDrm

MACHINES = Path(__file__).parents[2] / "machines"
SECOND = 1_000_000_000
XE, I915, ARC = "0000:03:00.0", "0000:4d:00.0", "0000:0a:00.0"


def at(seconds: float) -> Nanoseconds:
    return Nanoseconds(round(seconds * SECOND))


class Board:
    """A machine of a tree, and its processes."""

    def __init__(self, folder: Path, tree: str = "intel-gpus") -> None:
        self.sysfs = FakeSysfs(folder / "sys").load(MACHINES / f"{tree}.tree")
        self.procfs = folder / "proc"
        self.drm = FakeDrm(self.procfs)

    def meter(self, **more: tuple[str, ...]) -> DrmMeter:
        return DrmMeter(self.sysfs.root, self.procfs, **more)


@pytest.fixture
def board(tmp_path: Path) -> Board:
    return Board(tmp_path)


def used(meter: DrmMeter, seconds: float) -> GpuUsage:
    usage = meter.read_use(at(seconds))
    assert usage is not None
    return usage


def times(usage: GpuUsage) -> dict[tuple[str, int], tuple[int, int]]:
    columns = (usage.device, usage.pid, usage.busy_ns, usage.memory_bytes)
    return {
        (usage.states[int(d)].device, int(p)): (int(b), int(m))
        for d, p, b, m in zip(*columns, strict=True)
    }


def test_boards_of_intel_are_read_by_their_counters_and_tiles_are_not_added(board: Board) -> None:
    meter = board.meter()

    assert isinstance(meter, GpuMeter)
    told = {reading.zone.id: reading.value for reading in meter.read(at(1))}
    assert told == {
        I915: Counter(9_000_000, None),
        XE: Counter(70_000_000, None),
        ARC: Counter(20_000_000, None),
    }
    zone = meter.zones[0]
    assert (zone.kind, zone.source, zone.component) == ("gpu", "drm", "gpu")
    assert meter.notes[0] == (
        "1 x Intel GPU 8086:0BD5: energy counter, shared by time on its engines"
    )


def test_discrete_boards_of_amd_are_integrated_and_an_apu_is_inside_its_package(
    tmp_path: Path,
) -> None:
    board = Board(tmp_path, "amd-gpus")
    told = {reading.zone.id: reading.value for reading in board.meter().read(at(1))}
    assert told == {
        "0000:c1:00.0": Gauge(95_000_000, averaged=True),
        "0000:03:00.0": Gauge(20_000_000, averaged=False),
    }
    with pytest.raises(MeterAbsent, match="no GPU whose kernel driver"):
        board.meter(without=("amdgpu",))


def test_a_board_falls_off_the_bus_and_comes_back_and_the_others_are_read(board: Board) -> None:
    meter = board.meter()
    sensor = board.sysfs.root / "class/drm/card2/device/hwmon/hwmon6"
    (sensor / "energy1_input").write_text("")  # what an open file shows of a device that is gone
    (sensor / "energy2_input").unlink()
    meter.read(at(1))
    (sensor / "energy1_input").unlink()
    assert XE not in {reading.zone.id for reading in meter.read(at(2))}
    assert any(XE in line for line in meter.problems)
    meter.read_use(at(2))
    assert XE not in {state.device for state in used(meter, 3).states}

    board.sysfs.load(MACHINES / "intel-gpus.tree")
    meter.read(at(4))
    assert XE in {reading.zone.id for reading in meter.read(at(5))}


def test_no_board_left_is_a_failed_read(tmp_path: Path) -> None:
    board = Board(tmp_path, "amd-gpus")
    meter = board.meter()
    for card in ("card0", "card1"):
        for file in (board.sysfs.root / f"class/drm/{card}/device/hwmon").glob("*/power1_*"):
            file.write_text("N/A\n")
    with pytest.raises(MeterFailed):
        meter.read(at(1))


def test_processes_share_by_time_on_engines_and_hold_memory(board: Board) -> None:
    board.drm.idle(1)
    board.drm.client(7, I915, 1, engine_render="1000000000 ns", resident_local0="2048 KiB")
    board.drm.client(8, I915, 2, engine_compute="0 ns")
    meter = board.meter()
    assert meter.read_use(at(0)) is None
    board.drm.client(7, I915, 1, engine_render=f"{3 * SECOND} ns", resident_local0="4 MiB")
    board.drm.client(8, I915, 2, engine_compute=f"{SECOND} ns")

    usage = used(meter, 5)

    assert times(usage)[I915, 7] == (round(2 * SECOND * 2 / 3), 4 << 20)
    assert times(usage)[I915, 8] == (round(2 * SECOND / 3), 0)
    state = next(state for state in usage.states if state.device == I915)
    assert (state.activity, state.vendor) == ("engine", "intel")
    assert state.utilisation == pytest.approx(0.4)  # render, the busiest of its engines
    assert set(state.names) == {I915, "card1"}


def test_xe_tells_cycles_and_a_class_of_several_engines_is_busy_when_all_are(board: Board) -> None:
    keys = {"engine_capacity_ccs": 4, "resident_vram0": "1 GiB"}
    board.drm.client(7, XE, 3, cycles_ccs=100, total_cycles_ccs=1_000_000, **keys)
    meter = board.meter()
    meter.read_use(at(0))
    board.drm.client(7, XE, 3, cycles_ccs=200_100, total_cycles_ccs=1_100_000, **keys)

    assert times(used(meter, 5)) == {(XE, 7): (round(2.5 * SECOND), 1 << 30)}


def test_a_file_that_several_processes_have_open_counts_once(board: Board) -> None:
    for pid in (7, 8):
        board.drm.client(pid, XE, 3, engine_gfx="0 ns")
        board.drm.client(pid, XE, 3, engine_gfx="0 ns", fd=11)
    meter = board.meter()
    meter.read_use(at(0))
    for pid in (7, 8):
        for fd in (10, 11):
            board.drm.client(pid, XE, 3, engine_gfx=f"{SECOND} ns", fd=fd)
    assert times(used(meter, 5)) == {(XE, 7): (SECOND // 2, 0), (XE, 8): (SECOND // 2, 0)}


def test_what_a_file_did_before_it_was_seen_is_charged_to_nobody_unless_it_is_new(
    board: Board,
) -> None:
    board.drm.idle(7)
    board.drm.idle(8)
    meter = board.meter()
    meter.read_use(at(0))
    board.drm.client(8, XE, 1, engine_gfx=f"{SECOND} ns")  # had none open at the last look
    board.drm.client(9, XE, 2, engine_gfx=f"{SECOND} ns")  # began since then
    assert times(used(meter, 5)) == {(XE, 8): (SECOND, 0), (XE, 9): (SECOND, 0)}
    used(meter, 10)  # in which 7 is not looked at
    board.drm.client(7, XE, 3, engine_gfx=f"{3 * SECOND} ns")
    assert times(used(meter, 15))[XE, 7] == (0, 0)

    board.drm.end(9)
    board.drm.client(7, XE, 3, engine_gfx=f"{4 * SECOND} ns")
    board.drm.client(8, XE, 1, engine_gfx=f"{SECOND} ns")
    assert times(used(meter, 20)) == {(XE, 7): (SECOND, 0), (XE, 8): (0, 0)}


def test_a_file_that_could_not_be_read_once_goes_on_with_its_counters(board: Board) -> None:
    board.drm.client(7, XE, 1, engine_gfx=f"{90 * SECOND} ns")
    meter = board.meter()
    meter.read_use(at(0))
    file = board.procfs / "7/fdinfo/10"
    file.unlink()
    assert times(used(meter, 5)) == {}
    board.drm.client(7, XE, 1, engine_gfx=f"{91 * SECOND} ns")
    assert times(used(meter, 10)) == {(XE, 7): (SECOND, 0)}


def test_old_processes_are_looked_at_in_turn_and_new_ones_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wattribute.node.meter.fdinfo._LOOKS", 2)
    drm = FakeDrm(tmp_path)
    for pid in range(1, 7):
        drm.idle(pid)
    clients = Clients(tmp_path)
    for _ in range(3):
        clients.read()
    drm.client(6, XE, 1)
    drm.client(50, XE, 2)
    found = [{pid for seen in clients.read() for pid in seen.pids} for _ in range(16)]
    assert all(50 in pids for pids in found)
    first = next(tick for tick, pids in enumerate(found) if 6 in pids)
    assert all(6 in pids for pids in found[first:])  # once it has a device, always


def test_processes_that_may_not_be_looked_into_are_said_with_what_would_fix_it(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    board.drm.client(7, XE, 1, engine_gfx="1 ns")

    def refuse(_folder: object) -> list[str]:
        raise PermissionError

    meter = board.meter()
    monkeypatch.setattr("wattribute.node.meter.fdinfo._drm_files", refuse)
    meter.read_use(at(0))
    usage = used(meter, 5)
    assert times(usage) == {}
    assert "of 1 processes: /proc/PID/fd needs CAP_SYS_PTRACE" in usage.states[0].message
    assert (usage.states[0].activity, usage.states[0].utilisation) == ("unseen", None)
    assert meter.problems == ()  # energy is measured all the same


def test_amdgpus_own_figure_of_how_busy_it_is_counts_where_users_are_not_seen(
    tmp_path: Path,
) -> None:
    meter = Board(tmp_path, "amd-gpus").meter()
    meter.read_use(at(0))
    first, second = used(meter, 5).states
    assert (first.utilisation, first.activity, first.energy) == (0.4, "none", "average")
    assert (first.name, first.memory_used_bytes) == ("Instinct MI210", 1 << 30)
    assert (second.utilisation, second.energy) == (0.0, "power")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "pos:\t0\nflags:\t02\n",
        "drm-driver:\ti915\ndrm-client-id:\t5\n",  # no device: not on PCI
        "drm-pdev:\t0000:00:02.0\n",
    ],
)
def test_what_names_no_client_is_none(text: str) -> None:
    assert parse_client(text) is None


def test_numbers_that_are_none_are_passed_over_and_nanoseconds_go_before_cycles() -> None:
    client = parse_client(
        "drm-pdev:\tX\ndrm-client-id:\t1\ndrm-engine-a:\t-5 ns\ndrm-engine-b:\t7 ns\n"
        "drm-engine-capacity-b:\t2\ndrm-cycles-b:\t9\ndrm-total-cycles-b:\t10\n"
        "drm-cycles-c:\t9\ndrm-memory-vram:\t3 MiB\ndrm-total-vram:\t9 MiB\n"
    )
    assert client == Client("X", "1", {"b": EngineTime(7, None, 2)}, 3 << 20)


@given(
    ticks=st.lists(
        st.lists(
            st.tuples(
                st.integers(1, 4),  # client
                st.sampled_from(["render", "copy"]),
                st.integers(0, 10 * SECOND),
                st.booleans(),
            ),
            max_size=5,
        ),
        max_size=5,
    )
)
def test_no_device_is_busier_than_the_tick_is_long(
    ticks: list[list[tuple[int, str, int, bool]]],
) -> None:
    meter = EngineTimes()
    for tick in ticks:
        seen = [
            Seen(Client("d", str(n), {kind: EngineTime(ns, None, 1)}, 0), (n, n + 10), newborn)
            for n, kind, ns, newborn in {row[0]: row for row in tick}.values()
        ]
        busy = meter.add(seen, SECOND)
        assert all(ns >= 0 for ns in busy.values())
        assert sum(busy.values()) <= SECOND + len(busy)
