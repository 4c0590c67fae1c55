"""`wattribute weights`: from a ledger into a file, onto the terminal, into a model server."""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from wattribute.accounting.ledger.schema import SCHEMA
from wattribute.core.records import decode_weights
from wattribute_testing.entries import MadeLedger

Call = Callable[..., tuple[int, str, str]]
HOUR = 497_448


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """Two nodes that learned that ``hot`` costs more than ``cold``."""
    rows = []
    for node in ("n1", "n2"):
        for name, energy_uj in (("hot", 1_400_000), ("cold", 700_000)):
            made = MadeLedger()
            made.add(HOUR, node, kind="workload", namespace="shop", container="app\x1b[31m",
                     owner_kind="Deployment", owner_name=name, energy_uj=energy_uj,
                     low_uj=energy_uj * 9 // 10, high_uj=energy_uj * 11 // 10,
                     cpu_ns=3600 * 10**9)  # fmt: skip
            rows.append(made.rows[0] | {"shared_by": "learned-1", "time_uj": 1_000_000})
    extra = {"shared_by": pa.string(), "time_uj": pa.int64()}
    missing = [pa.field(name, kind) for name, kind in extra.items() if name not in SCHEMA.names]
    folder = tmp_path / "ledger/dt=2026-10-01"
    folder.mkdir(parents=True)
    table = pa.Table.from_pylist(rows, pa.schema([*SCHEMA, *missing]))
    parquet.write_table(table, folder / "a.parquet")
    return folder.parent


@pytest.fixture
def file(call: Call, ledger: Path, tmp_path: Path) -> Path:
    """A file of pooled weights."""
    out = tmp_path / "weights.json"
    code, output, _ = call("weights", "export", "--cpu", "AMD EPYC 9354 32-Core Processor",
                           "--ledger", str(ledger), "-o", str(out))  # fmt: skip
    assert (code, "epyc-9354: workloads: 2 in package" in output) == (0, True)
    return out


def test_export_writes_what_show_reads(call: Call, file: Path) -> None:
    code, output, _ = call("weights", "show", str(file))

    assert code == 0
    # ln 1.4 and ln 0.7, over what was learned: 1 - (ln(1.1 / 0.9) / 3.29 / 0.35)^2 = 0.97.
    lines = output.splitlines()
    assert lines[0].startswith("epyc-9354, learned-1, written 20")
    cells = {line.split()[2]: line.split() for line in lines[2:]}
    assert cells["Deployment/hot"][4] == "1.41"
    assert cells["Deployment/cold"][4] == "0.69"
    assert "\x1b" not in output


def test_import_puts_a_file_where_the_model_server_looks_and_its_signature_too(
    call: Call, file: Path, tmp_path: Path
) -> None:
    models = tmp_path / "models"
    models.mkdir()
    target = models / "epyc-9354.weights.json"
    signature = file.with_name("weights.json.sig")
    signature.write_bytes(b"s" * 64)

    assert call("weights", "import", str(file), "--into", str(models))[0] == 0
    assert decode_weights(target.read_bytes(), "x").cpu == "epyc-9354"
    assert target.with_name("epyc-9354.weights.json.sig").read_bytes() == b"s" * 64

    signature.unlink()
    code, output, _ = call("weights", "import", str(file), "--into", str(models))
    assert (code, "without a signature" in output) == (0, True)
    assert not target.with_name("epyc-9354.weights.json.sig").exists()


@pytest.mark.parametrize("command", ["show", "import"])
def test_a_file_that_is_not_pooled_weights_is_refused(
    call: Call, tmp_path: Path, command: str
) -> None:
    file = tmp_path / "x.json"
    file.write_text("{}")
    into = ["--into", str(tmp_path)] if command == "import" else []

    for path in (file, tmp_path / "missing.json"):
        code, _, error = call("weights", command, str(path), *into)
        assert (code, str(path) in error) == (5, True)
    assert not list(tmp_path.glob("*.weights.json"))


def test_a_name_without_a_cpu_model_is_refused(call: Call, ledger: Path, tmp_path: Path) -> None:
    code, _, error = call("weights", "export", "--cpu", "AMD EPYC", "--ledger", str(ledger),
                          "-o", str(tmp_path / "out.json"))  # fmt: skip

    assert (code, "--cpu 'AMD EPYC'" in error) == (2, True)


def test_a_ledger_without_learned_weights_is_no_file(call: Call, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    code, _, error = call("weights", "export", "--cpu", "AMD EPYC 9354", "--ledger",
                          str(tmp_path / "none"), "-o", str(out))  # fmt: skip

    assert (code, "attribution.weight: learned" in error) == (5, True)
    assert not out.exists()
