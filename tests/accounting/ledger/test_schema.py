from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

from wattribute.accounting.ledger.schema import AMOUNTS, COLUMNS, KEY, SCHEMA, day_folder


def test_the_contract_of_the_design_is_there_by_name() -> None:
    named = (
        "hour cluster node provider_id kind component namespace pod_uid pod container container_id "
        "owner_kind owner_name labels energy_uj floor_uj low_uj high_uj cpu_ns memory_byte_s "
        "gpu_sm_ns alive_s cpu_request_mcore_s memory_request_byte_s gpu_request_s origin "
        "covered_s model seal_id corrects capacity_cpu_mcore_s capacity_memory_byte_s "
        "capacity_gpu_s"
    )

    assert set(named.split()) <= set(SCHEMA.names)


def test_no_column_is_nullable_and_each_says_what_it_means() -> None:
    assert not any(field.nullable for field in SCHEMA)
    assert all(column.meaning.endswith((".", "...")) for column in COLUMNS)


def test_amounts_and_keys_are_columns() -> None:
    assert set(AMOUNTS) | set(KEY) <= set(SCHEMA.names)
    assert "covered_s" not in AMOUNTS


def test_a_file_keeps_the_schema(tmp_path: Path) -> None:
    parquet.write_table(SCHEMA.empty_table(), tmp_path / "a.parquet")

    assert parquet.read_schema(tmp_path / "a.parquet").equals(SCHEMA)


def test_the_folder_is_the_day_in_utc() -> None:
    last_second = int(pa.scalar("2026-10-31 23:00:00").cast(pa.timestamp("s")).value)

    assert day_folder(last_second) == "dt=2026-10-31"
    assert day_folder(last_second + 3600) == "dt=2026-11-01"
