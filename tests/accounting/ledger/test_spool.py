import json
from pathlib import Path
from typing import Any

import pytest

from wattribute.accounting.ledger.fill import Fill, Outcome
from wattribute.accounting.ledger.spool import SpoolReader
from wattribute.accounting.ledger.store import Store
from wattribute.core.errors import DataInvalid
from wattribute.core.records import Snapshot
from wattribute.core.units import Nanoseconds
from wattribute.node.exporter.scene import NodeLabels
from wattribute.node.exporter.spool import Spool
from wattribute_testing.snapshots import ESTIMATED, RAPL, SnapshotMaker

GOLDEN = Path(__file__).parents[2] / "golden"
MINUTE_NS = 60 * 10**9


def _write(folder: Path, ticks: int, *, node: str = "n", **changes: Any) -> list[Snapshot]:
    maker = SnapshotMaker(interval_ns=Nanoseconds(MINUTE_NS), **changes)
    labels = NodeLabels(node, cluster="c", nested=node == "guest")
    spool = Spool(folder, labels, ("app",), max_bytes=1 << 30, resumed=False)
    snapshots = [maker.tick() for _ in range(ticks)]
    for snapshot in snapshots:
        spool.observe(snapshot)
    spool.close()
    return snapshots


def _seal(folder: Path, ledger: Path) -> tuple[Outcome, list[dict[str, Any]]]:
    reader = SpoolReader(folder)
    store = Store.at(str(ledger))
    outcome = Fill(store, reader, now_s=lambda: 2e9).run(*reader.hours())
    return outcome, store.entries(*reader.hours()).to_pylist()


def _energy(snapshot: Snapshot) -> int:
    parts = [place for place, channel in enumerate(snapshot.channels) if channel.component]
    return int(snapshot.node.energy_uj[parts].sum())


def test_a_spool_of_0_1_gives_the_entries_that_it_gave_then(tmp_path: Path) -> None:
    outcome, entries = _seal(GOLDEN / "spool-0.1", tmp_path / "ledger")

    for entry in entries:
        assert (entry.pop("time_uj"), entry.pop("learned_uj")) == (entry["energy_uj"],) * 2
        assert entry.pop("shared_by") == ""
        entry["hour"] = int(entry["hour"].timestamp())
        entry["labels"] = dict(entry["labels"])
        entry["annotations"] = dict(entry["annotations"])
        del entry["seal_id"]
    expected = json.loads((GOLDEN / "spool-0.1" / "entries.json").read_text())
    assert sorted(entries, key=str) == sorted(expected, key=str)
    assert not outcome.problems


@pytest.mark.parametrize("channels", [RAPL, ESTIMATED])
def test_entries_add_up_to_the_agents_totals(tmp_path: Path, channels: Any) -> None:
    snapshots = _write(tmp_path / "spool", 150, channels=channels)

    outcome, entries = _seal(tmp_path / "spool", tmp_path / "ledger")

    assert sum(entry["energy_uj"] for entry in entries) == _energy(snapshots[-1])
    assert not outcome.problems
    assert {entry["covered_s"] for entry in entries} == {3600, 1740}
    assert [gap[0] for gap in outcome.gaps] == ["n"]
    estimated = channels is ESTIMATED
    assert all((entry["low_uj"] < entry["energy_uj"]) == estimated
               for entry in entries if entry["kind"] == "idle")  # fmt: skip


def test_two_runs_that_share_in_two_ways_are_one_hour(tmp_path: Path) -> None:
    first = _write(tmp_path, 10)[-1].containers
    second = _write(tmp_path, 20, seed=2, shared_by="learned-1")[-1].containers

    _, entries = _seal(tmp_path, tmp_path / "ledger")

    (entry,) = (e for e in entries if e["kind"] == "workload" and e["component"] == "cpu"
                and e["container_id"] == first.consumers[-1].container_id)  # fmt: skip
    time_uj, high_uj = second.time_uj, second.high_uj
    assert time_uj is not None
    assert high_uj is not None
    first_uj = int(first.energy_uj[-1, 0, 0])
    assert entry["energy_uj"] == first_uj + int(second.energy_uj[-1, 0, 0])
    assert entry["time_uj"] == first_uj + int(time_uj[-1, 0])
    assert entry["high_uj"] == first_uj + int(high_uj[-1, 0])
    assert entry["shared_by"] == "learned-1"


def test_two_runs_in_one_hour_are_one_hour(tmp_path: Path) -> None:
    first = _write(tmp_path, 10)
    second = _write(tmp_path, 10, seed=2)

    outcome, entries = _seal(tmp_path, tmp_path / "ledger")

    assert outcome.node_hours == 1
    assert sum(entry["energy_uj"] for entry in entries) == _energy(first[-1]) + _energy(second[-1])


def test_spools_of_many_nodes_lie_in_folders_and_guests_are_left_out(tmp_path: Path) -> None:
    for node in ("a", "b", "guest"):
        _write(tmp_path / node, 3, node=node)

    _, entries = _seal(tmp_path, tmp_path / "ledger")

    assert {(entry["cluster"], entry["node"]) for entry in entries} == {("c", "a"), ("c", "b")}


def test_sealing_again_changes_nothing_and_a_later_line_is_a_correction(tmp_path: Path) -> None:
    first = _write(tmp_path / "spool", 10)
    _seal(tmp_path / "spool", tmp_path / "ledger")
    again, _ = _seal(tmp_path / "spool", tmp_path / "ledger")
    assert (again.entries, again.corrections) == (0, 0)

    second = _write(tmp_path / "spool", 10, seed=2)
    late, entries = _seal(tmp_path / "spool", tmp_path / "ledger")

    assert late.entries == 0
    assert late.corrections > 0
    assert sum(entry["energy_uj"] for entry in entries) == _energy(first[-1]) + _energy(second[-1])


def test_a_line_that_is_cut_off_is_named_and_the_others_count(tmp_path: Path) -> None:
    _write(tmp_path, 61)
    (file,) = tmp_path.glob("*.jsonl")
    file.write_bytes(file.read_bytes()[:-20])

    reader = SpoolReader(tmp_path)

    assert reader.problems == [f"{file}: a line that is cut off was left out"]
    assert reader.hours()[1] - reader.hours()[0] == 3600


def test_a_spool_of_another_version_is_refused(tmp_path: Path) -> None:
    _write(tmp_path, 3)
    (file,) = tmp_path.glob("*.jsonl")
    file.write_bytes(file.read_bytes().replace(b'"schema":1', b'"schema":9'))

    with pytest.raises(DataInvalid, match="lines of schema 9"):
        SpoolReader(tmp_path)


def test_a_folder_without_a_spool_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataInvalid, match="no spool"):
        SpoolReader(tmp_path)


def test_a_run_that_had_no_meter_yet_is_added_to_the_next(tmp_path: Path) -> None:
    _write(tmp_path, 3)
    file = max(tmp_path.rglob("*.jsonl"))
    line = json.loads(file.read_text().splitlines()[-1])
    early = {**line, "id": "early", "channels": [], "node_uj": [], "unattributed_uj": []}
    early["containers"] = [{**row, "energy_uj": []} for row in line["containers"]]
    file.write_text("".join(json.dumps(one) + "\n" for one in (early, line)))

    outcome, entries = _seal(tmp_path, tmp_path / "ledger")

    assert entries
    assert not outcome.problems
