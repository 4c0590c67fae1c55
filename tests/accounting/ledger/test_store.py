import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pytest

from wattribute.accounting.ledger.entries import LedgerEntries
from wattribute.accounting.ledger.seal import new_seal_id
from wattribute.accounting.ledger.store import Store
from wattribute.core.errors import DataInvalid, LedgerFailed

DAY = 1_790_812_800


def _table(seal_id: str, rows: int = 1, hour_s: int = DAY) -> pa.Table:
    entries = LedgerEntries()
    common = {"hour": hour_s * 1_000_000, "kind": "idle", "component": "cpu"}
    for row in range(rows):
        more = {"node": f"n{row}", "energy_uj": row, "labels": {"app": str(row)}}
        entries.add(common | more)
    return entries.table(seal_id)


@contextmanager
def _files_no_larger_than(size: int) -> Iterator[None]:
    """As on a full disk, a write fails in the middle of a file (EFBIG)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_what_is_written_is_read_by_hour(tmp_path: Path) -> None:
    store = Store.at(str(tmp_path))
    store.write(DAY, "a", [_table("a"), _table("a", hour_s=DAY + 3600)])

    assert store.files(DAY, DAY + 1) == [f"{tmp_path}/dt=2026-10-01/a.parquet"]
    assert store.entries(DAY, DAY + 3600).num_rows == 1
    assert store.entries(DAY, DAY + 86_400).num_rows == 2
    assert store.days() == (DAY, DAY + 86_400)
    assert dict(store.entries(DAY, DAY + 3600).to_pylist()[0]["labels"]) == {"app": "0"}


def test_a_ledger_that_is_not_there_is_empty(tmp_path: Path) -> None:
    store = Store.at(str(tmp_path / "none"))

    assert store.days() == (0, 0)
    assert store.entries(0, DAY + 3600, ["node"]).num_rows == 0


def test_a_full_disk_in_the_middle_of_a_seal_leaves_nothing_half_written(tmp_path: Path) -> None:
    store = Store.at(str(tmp_path))
    store.write(DAY, "a", [_table("a")])

    with _files_no_larger_than(16_384), pytest.raises(LedgerFailed) as caught:
        store.write(DAY, "b", (_table("b", 5000) for _ in range(20)))

    assert "nothing is lost: collect the same hours again" in str(caught.value)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["a.parquet"]
    assert store.write(DAY, "b", [_table("b", 5000)]) == 5000
    assert store.entries(DAY, DAY + 3600).num_rows == 5001


def test_an_error_while_entries_are_made_leaves_nothing_half_written(tmp_path: Path) -> None:
    def broken() -> Iterator[pa.Table]:
        yield _table("b")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        Store.at(str(tmp_path)).write(DAY, "b", broken())

    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_what_a_killed_writer_left_is_no_part_of_the_ledger_and_is_swept(tmp_path: Path) -> None:
    store = Store.at(str(tmp_path))
    store.write(DAY, "a", [_table("a")])
    left = tmp_path / "dt=2026-10-01" / ".b.unfinished"
    left.write_bytes(b"PAR1 and no more")

    assert store.entries(DAY, DAY + 3600).num_rows == 1
    with store.locked():
        assert not left.exists()


def test_two_writers_do_not_write_at_once(tmp_path: Path) -> None:
    store = Store.at(str(tmp_path))

    with store.locked(), pytest.raises(LedgerFailed, match="another collect"), store.locked():
        pass
    with store.locked():
        pass


@pytest.mark.parametrize("keep", [0, 3, 400, -1])
def test_a_truncated_file_is_named(tmp_path: Path, keep: int) -> None:
    store = Store.at(str(tmp_path))
    store.write(DAY, "a", [_table("a")])
    path = tmp_path / "dt=2026-10-01" / "a.parquet"
    path.write_bytes(path.read_bytes()[:keep])

    with pytest.raises(DataInvalid, match=r"a\.parquet: not a whole Parquet file"):
        store.entries(DAY, DAY + 3600)


def test_somebody_elses_parquet_is_named(tmp_path: Path) -> None:
    store = Store.at(str(tmp_path))
    (tmp_path / "dt=2026-10-01").mkdir()
    pa.parquet.write_table(pa.table({"a": [1]}), tmp_path / "dt=2026-10-01" / "x.parquet")

    with pytest.raises(DataInvalid, match="no ledger file: lacks the column hour"):
        store.entries(DAY, DAY + 3600)


def test_an_object_store_by_fsspec(tmp_path: Path) -> None:
    store = Store.at("memory://bucket/ledger")
    store.write(DAY, "a", [_table("a", 3)])

    assert store.entries(DAY, DAY + 3600).num_rows == 3
    assert [path.rpartition("/")[2] for path in store.all_files()] == ["a.parquet"]
    assert not store.local
    assert not list(tmp_path.iterdir())


def test_a_store_that_nothing_opens_is_one_clear_line() -> None:
    with pytest.raises(LedgerFailed, match="nosuch://x: cannot open the ledger"):
        Store.at("nosuch://x")


def test_seal_ids_sort_by_time_and_are_never_the_same() -> None:
    ids = [new_seal_id(DAY + n) for n in range(3)] + [new_seal_id(DAY + 2)]

    assert sorted(ids)[:2] == ids[:2]
    assert len(set(ids)) == 4
