import json
import resource
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from wattribute.core.records import REWEIGHED, Snapshot
from wattribute.core.units import Nanoseconds
from wattribute.node.exporter.scene import NodeLabels
from wattribute.node.exporter.spool import Spool
from wattribute_testing.snapshots import ESTIMATED, RAPL, SnapshotMaker

MINUTE_NS = 60 * 10**9


def _spool(folder: Path, *, resumed: bool = False, max_bytes: int = 1 << 20) -> Spool:
    return Spool(folder, NodeLabels("n"), ("app", "team"), max_bytes=max_bytes, resumed=resumed)


def _maker(**changes: Any) -> SnapshotMaker:
    return SnapshotMaker(interval_ns=Nanoseconds(MINUTE_NS), channels=ESTIMATED, **changes)


def _lines(folder: Path) -> list[dict[str, Any]]:
    texts = (path.read_text() for path in sorted(folder.glob("*.jsonl")))
    return [json.loads(line) for text in texts for line in text.splitlines()]


def _total(lines: list[dict[str, Any]]) -> int:
    return sum(sum(pair) for line in lines for pair in line["node_uj"])


def _check_balance(line: dict[str, Any]) -> None:
    for channel, (dynamic, _) in enumerate(line["node_uj"]):
        shown = sum(row["energy_uj"][channel] for row in line["containers"])
        assert shown + line["unattributed_uj"][channel] == dynamic


def test_each_hour_is_a_line_that_adds_up_and_hours_add_up_to_the_counters(tmp_path: Path) -> None:
    maker, spool = _maker(), _spool(tmp_path)
    snapshots = [maker.tick() for _ in range(150)]
    for snapshot in snapshots:
        spool.observe(snapshot)
    spool.close()

    lines = _lines(tmp_path)

    assert [line["hour_s"] % 86_400 // 3600 for line in lines] == [0, 1, 2]
    assert [line["covered_s"] for line in lines] == [3600, 3600, 29 * 60]
    for line in lines:
        _check_balance(line)
    assert _total(lines) == int(snapshots[-1].node.energy_uj.sum())
    pod = next(row for row in lines[0]["containers"] if row["pod_uid"])
    assert pod["alive_s"] == 3600
    assert set(pod["labels"]) <= {"app", "team"}
    assert lines[0]["model"] == "wattribute-power 1"
    assert lines[0]["band_uj"]["cpu"][0] < lines[0]["band_uj"]["cpu"][2]


def test_what_was_before_a_resumed_start_is_not_counted_again(tmp_path: Path) -> None:
    maker = _maker()
    before = maker.tick()
    spool = _spool(tmp_path, resumed=True)
    spool.observe(before)
    last = maker.tick()
    spool.observe(last)
    spool.close()

    (line,) = _lines(tmp_path)

    assert _total([line]) == int((last.node.energy_uj - before.node.energy_uj).sum())
    _check_balance(line)


def test_a_container_that_ended_and_is_shown_no_more_is_in_the_line(tmp_path: Path) -> None:
    maker, spool = _maker(), _spool(tmp_path)
    first = maker.tick()
    spool.observe(first)
    spool.observe(_without_last_container(maker.tick()))
    spool.close()

    (line,) = _lines(tmp_path)

    gone = first.containers.consumers[-1]
    (row,) = (row for row in line["containers"] if row["container_id"] == gone.container_id)
    assert row["energy_uj"] == first.containers.energy_uj[-1, :, 0].tolist()


def _without_last_container(snapshot: Snapshot) -> Snapshot:
    table = snapshot.containers
    kept = replace(
        table,
        consumers=table.consumers[:-1],
        **{name: getattr(table, name)[:-1] for name in (
            "energy_uj", "power_uw", "cpu_ns", "memory_byte_ns", "cpu_ratio", "held", "alive")},
    )  # fmt: skip
    return replace(snapshot, containers=kept)


def test_an_agent_that_is_killed_loses_a_minute_at_most(tmp_path: Path) -> None:
    maker, killed = _maker(), _spool(tmp_path)
    seen = [maker.tick() for _ in range(10)]
    for snapshot in seen:
        killed.observe(snapshot)

    resumed = _spool(tmp_path, resumed=True)
    after = [maker.tick() for _ in range(5)]
    for snapshot in after:
        resumed.observe(snapshot)
    resumed.close()

    lines = _lines(tmp_path)
    assert len(lines) == 2
    assert _total(lines) == int(after[-1].node.energy_uj.sum())
    _check_balance(lines[0])


def test_an_agent_that_is_killed_as_an_hour_is_closed_counts_it_once(tmp_path: Path) -> None:
    maker, killed = _maker(), _spool(tmp_path)
    for _ in range(60):
        killed.observe(maker.tick())
    left = (tmp_path / "open.json").read_bytes()
    last = maker.tick()
    killed.observe(last)  # the first of the next hour
    (tmp_path / "open.json").write_bytes(left)  # as if killed before the next note

    resumed = _spool(tmp_path, resumed=True)
    resumed.observe(last)
    after = maker.tick()
    resumed.observe(after)
    resumed.close()

    lines = _lines(tmp_path)
    assert [line["hour_s"] % 86_400 // 3600 for line in lines] == [0, 1]
    rises = int((after.node.energy_uj - last.node.energy_uj).sum())
    assert _total(lines[1:]) == rises


def test_totals_that_began_anew_are_counted_from_0(tmp_path: Path) -> None:
    first, spool = _maker(), _spool(tmp_path)
    before = [first.tick() for _ in range(3)]
    for snapshot in before:
        spool.observe(snapshot)
    again, anew = _maker(seed=2), _spool(tmp_path)
    after = [again.tick() for _ in range(9)]
    for snapshot in after:
        anew.observe(snapshot)
    anew.close()

    whole = sum(int(snapshots[-1].node.energy_uj.sum()) for snapshots in (before, after))
    assert _total(_lines(tmp_path)) == whole


def test_a_gap_is_not_covered(tmp_path: Path) -> None:
    maker, spool = _maker(), _spool(tmp_path)
    spool.observe(maker.tick())
    maker.wall_ns = Nanoseconds(maker.wall_ns + 20 * MINUTE_NS)
    spool.observe(maker.tick())
    spool.observe(maker.tick())
    spool.close()

    (line,) = _lines(tmp_path)
    assert line["covered_s"] == 60


def test_a_line_that_was_cut_off_spoils_only_itself(tmp_path: Path) -> None:
    (tmp_path / "2026-01-01.jsonl").write_bytes(b'{"schema":1,"hou')
    maker, spool = _maker(), _spool(tmp_path)
    spool.observe(maker.tick())
    spool.close()

    cut, whole = (tmp_path / "2026-01-01.jsonl").read_text().splitlines()
    assert cut == '{"schema":1,"hou'
    assert json.loads(whole)["node"] == "n"


def test_beyond_its_bound_the_oldest_day_goes(tmp_path: Path) -> None:
    maker = SnapshotMaker(interval_ns=Nanoseconds(6 * 60 * MINUTE_NS), channels=ESTIMATED)
    spool = _spool(tmp_path, max_bytes=20_000)
    for _ in range(40):
        spool.observe(maker.tick())
    spool.close()

    days = sorted(path.name for path in tmp_path.glob("*.jsonl"))
    assert sum((tmp_path / day).stat().st_size for day in days) <= 20_000
    assert days[-1] == "2026-01-10.jsonl"
    assert len(days) < 10


def test_on_a_full_disk_lines_wait_and_none_is_torn(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    maker, spool = _maker(), _spool(tmp_path)
    for _ in range(61):
        spool.observe(maker.tick())
    written = (tmp_path / "2026-01-01.jsonl").stat().st_size
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (written + 100, hard))  # as a disk that is full
    try:
        last = [maker.tick() for _ in range(125)]
        for snapshot in last:
            spool.observe(snapshot)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (tmp_path / "2026-01-01.jsonl").stat().st_size == written
    spool.close()

    lines = _lines(tmp_path)
    assert [line["hour_s"] % 86_400 // 3600 for line in lines] == [0, 1, 2, 3]
    assert _total(lines) == int(last[-1].node.energy_uj.sum())
    assert caplog.text.count("lines wait in memory") == 1


def test_the_agent_still_imports_nothing_heavy() -> None:
    code = "import sys, wattribute.node.agent; print(*sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    heavy = {"pyarrow", "duckdb", "httpx", "narwhals", "fsspec", "polars"}
    assert not heavy & {name.partition(".")[0] for name in out.stdout.split()}


def _weighed_lines(folder: Path, shared_by: str) -> list[dict[str, Any]]:
    maker = SnapshotMaker(interval_ns=Nanoseconds(MINUTE_NS), channels=RAPL, shared_by=shared_by)
    spool = _spool(folder)
    for _ in range(70):
        spool.observe(maker.tick())
    spool.close()
    return _lines(folder)


def test_a_line_has_the_band_of_learned_weights_and_what_cpu_time_would_say(tmp_path: Path) -> None:
    lines = _weighed_lines(tmp_path, "learned-1")

    assert len(lines) == 2
    for line in lines:
        assert line["shared_by"] == {"cpu": "learned-1", "dram": "learned-1"}
        for row in line["containers"]:
            ends = zip(row["low_uj"], row["energy_uj"], row["high_uj"], strict=True)
            assert all(low < energy < high for low, energy, high in ends)
            assert "learned_uj" not in row  # it is the energy
        rows = line["containers"]
        for channel in range(len(line["channels"])):
            energy_uj, time_uj = (
                sum(row[name][channel] for row in rows) for name in ("energy_uj", "time_uj")
            )
            assert time_uj == energy_uj
    assert any(row["time_uj"] != row["energy_uj"] for row in lines[0]["containers"])


def test_a_line_of_an_agent_that_only_shows_learned_weights_says_what_they_would_give(
    tmp_path: Path,
) -> None:
    for line in _weighed_lines(tmp_path, "time"):
        assert line["shared_by"] == {"cpu": "time", "dram": "time"}
        for row in line["containers"]:
            assert row.keys().isdisjoint({"low_uj", "high_uj", "time_uj"})
            assert row["learned_uj"] != row["energy_uj"]


def test_a_line_of_an_agent_with_one_way_to_share_has_no_more_keys(tmp_path: Path) -> None:
    for line in _weighed_lines(tmp_path, ""):
        assert "shared_by" not in line
        assert line["containers"][0].keys().isdisjoint(REWEIGHED)


def test_weights_that_are_learned_from_some_tick_on_count_from_there(tmp_path: Path) -> None:
    maker = SnapshotMaker(interval_ns=Nanoseconds(MINUTE_NS), channels=RAPL, shared_by="learned-1")
    spool = _spool(tmp_path, resumed=True)
    first, last = maker.tick(), maker.tick()
    plain = dict.fromkeys(REWEIGHED)
    spool.observe(replace(first, containers=replace(first.containers, **plain)))
    grown = {
        name: getattr(last.containers, name)
        - getattr(first.containers, name)
        + first.containers.energy_uj[:, :, 0]
        for name in REWEIGHED
    }
    spool.observe(replace(last, containers=replace(last.containers, **grown)))
    spool.close()

    (line,) = _lines(tmp_path)

    for row, consumer in zip(line["containers"], last.containers.consumers, strict=True):
        at = last.containers.consumers.index(consumer)
        risen = last.containers.low_uj[at] - first.containers.low_uj[at]
        assert row["low_uj"] == risen.tolist()
