"""A statement end to end over a large ledger: time, memory, and how both grow.

Each size runs in a process of its own, so that its peak memory is its own. The ledger and the bill
are made first (that time is not counted): nodes of 140 workloads under 40 owners, one entry for
each in every hour, and one charge per node and hour.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb

from bench.figure import Figure, at_most, shown, within
from wattribute.accounting.chargeback.build import make_statement
from wattribute.accounting.chargeback.charges import Month
from wattribute.accounting.chargeback.request import StatementRequest
from wattribute.accounting.ledger.schema import SCHEMA
from wattribute.accounting.settings import AccountingSettings
from wattribute.core.records import REWEIGHED

_WORKLOADS: Final = 140
_OWNERS: Final = 40
_DAYS: Final = 30
_SIZES: Final = (5_000_000, 10_000_000, 20_000_000)
_FLEET: Final = 200_000_000
"""A month of 2,000 nodes at 140 workloads."""
_MOST_S: Final = 60.0
_MOST_GIB: Final = 4.0


@dataclass(frozen=True, slots=True)
class _Run:
    wall_s: float
    cpu_s: float
    peak_gib: float
    residual: float


def run(window_s: float) -> Iterator[Figure]:
    """Sizes from 5 to 20 million entries; a tenth of them with ``--quick``."""
    quick = window_s < 60
    runs: dict[int, _Run] = {}
    with tempfile.TemporaryDirectory() as folder:
        for size in _SIZES:
            entries = size // 10 if quick else size
            made = make(Path(folder) / str(entries), entries)
            runs[entries] = _one(made)
            yield from _figures(entries, runs[entries], judged=size == _SIZES[-1] and not quick)
    small, large = min(runs), max(runs)
    growth = runs[large].cpu_s / runs[small].cpu_s / (large / small)
    yield within(
        "statement",
        "CPU time per entry, largest against smallest",
        growth,
        low=0,
        high=1.25,
        unit="x",
        note="1 is linear",
    )
    per_entry_s = (runs[large].wall_s - runs[small].wall_s) / (large - small)
    yield shown(
        "statement",
        f"{_FLEET / 1e6:g} million entries, EXTRAPOLATED",
        runs[large].wall_s + per_entry_s * (_FLEET - large),
        "s",
        note="an extrapolation by the line through the measured sizes, not a measurement",
    )


def _figures(entries: int, one: _Run, *, judged: bool) -> Iterator[Figure]:
    name = f"{entries / 1e6:g} million entries"
    cores = os.cpu_count() or 1
    note = f"{one.cpu_s:.0f} s of CPU on {cores} cores, load {os.getloadavg()[0]:.1f}"
    if judged:
        yield at_most(
            "statement", f"{name}, wall clock", one.wall_s, most=_MOST_S, unit="s", note=note
        )
        yield at_most("statement", f"{name}, peak memory", one.peak_gib, most=_MOST_GIB, unit="GiB")
    else:
        yield shown("statement", f"{name}, wall clock", one.wall_s, "s", note=note)
        yield shown("statement", f"{name}, peak memory", one.peak_gib, "GiB")
    yield at_most("statement", f"{name}, residual", abs(one.residual), most=0, unit="USD")


def _one(folder: Path) -> _Run:
    """One statement in a process of its own."""
    command = [sys.executable, "-m", "bench.statement", str(folder)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return _Run(**json.loads(done.stdout))


def make(folder: Path, entries: int) -> Path:
    """Write a ledger and a FOCUS bill of it.

    Args:
        folder: Gets ``ledger/`` and ``focus.parquet``.
        entries: How many, about: whole nodes.
    """
    nodes = max(round(entries / (_DAYS * 24 * _WORKLOADS)), 1)
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        for day in range(_DAYS):
            name = folder / "ledger" / f"dt=2026-09-{day + 1:02}"
            name.mkdir(parents=True, exist_ok=True)
            con.execute(_entries_sql(nodes, day, name / "s.parquet"))
        con.execute(_bill_sql(nodes, folder / "focus.parquet"))
    return folder


def _entries_sql(nodes: int, day: int, path: Path) -> str:
    """Workload 140 of each node is its idle row; amounts differ by a hash, always the same."""
    idle = f"w = {_WORKLOADS}"
    made = {
        "hour": f"make_timestamptz(2026, 9, {day + 1}, h::BIGINT, 0, 0)",
        "cluster": "'c'",
        "node": "'n-' || n",
        "provider_id": "'aws:///zone/i-' || n",
        "kind": f"CASE WHEN {idle} THEN 'idle' ELSE 'workload' END",
        "component": "'cpu'",
        "namespace": f"CASE WHEN {idle} THEN '' ELSE 'ns-' || (w % {_OWNERS}) END",
        "pod_uid": "n || '-' || w",
        "pod": "'pod-' || n || '-' || w",
        "container": "'main'",
        "container_id": "md5(n || '-' || w)",
        "owner_kind": "'Deployment'",
        "owner_name": "'app-' || w",
        "labels": f"MAP {{'app': 'app-' || (w % {_OWNERS})}}",
        "annotations": "MAP([]::VARCHAR[], []::VARCHAR[])",
        "energy_uj": f"CASE WHEN {idle} THEN 300000000000 ELSE r % 2000000000 END",
        "floor_uj": f"CASE WHEN {idle} THEN 300000000000 ELSE 0 END",
        "cpu_ns": f"CASE WHEN {idle} THEN 0 ELSE r % 1000000000000 END",
        "memory_byte_s": f"CASE WHEN {idle} THEN 0 ELSE r % 1000000000000 END",
        "alive_s": f"CASE WHEN {idle} THEN 0 ELSE 3600 END",
        "cpu_request_mcore_s": f"CASE WHEN {idle} THEN 0 ELSE (r % 500) * 3600 END",
        "memory_request_byte_s": f"CASE WHEN {idle} THEN 0 ELSE (r % 512) * 3774873600 END",
        "capacity_cpu_mcore_s": f"CASE WHEN {idle} THEN 230400000 ELSE 0 END",
        "capacity_memory_byte_s": f"CASE WHEN {idle} THEN 989560464998400 ELSE 0 END",
        "origin": "'measured'",
        "covered_s": "3600",
        "seal_id": f"'seal-{day}'",
    }
    made |= dict.fromkeys(REWEIGHED, made["energy_uj"])
    zero = {"int64": "0::BIGINT", "string": "''"}
    columns = ", ".join(
        f"({made.get(field.name) or zero[str(field.type)]})"
        f"{'::BIGINT' if str(field.type) == 'int64' else ''} AS {field.name}"
        for field in SCHEMA
    )
    rows = f"FROM range({nodes}) AS a(n), range(24) AS b(h), range({_WORKLOADS + 1}) AS c(w)"
    inner = f"SELECT *, (hash(n * 1000003 + h * 1009 + w * 31 + {day}) >> 4)::BIGINT AS r {rows}"
    return f"COPY (SELECT {columns} FROM ({inner})) TO '{path}' (FORMAT parquet, COMPRESSION zstd)"  # noqa: S608 - our own texts


def _bill_sql(nodes: int, path: Path) -> str:
    start = "make_timestamptz(2026, 9, 1, 0, 0, 0) + to_hours(h)"
    return (
        f"COPY (SELECT {start} AS ChargePeriodStart, {start} + to_hours(1) AS ChargePeriodEnd, "  # noqa: S608
        "make_timestamptz(2026, 9, 1, 0, 0, 0) AS BillingPeriodStart, "
        "make_timestamptz(2026, 10, 1, 0, 0, 0) AS BillingPeriodEnd, "
        "'USD' AS BillingCurrency, 'Usage' AS ChargeCategory, 'Compute' AS ServiceCategory, "
        "'EC2' AS ServiceName, 'arn:aws:ec2:r:1:instance/i-' || n AS ResourceId, "
        "'' AS Tags, 'an hour of i-' || n AS ChargeDescription, "
        "(3.072 + (n % 7) * 0.0123456789)::DECIMAL(18,10) AS EffectiveCost, "
        "(3.072)::DECIMAL(18,10) AS BilledCost "
        f"FROM range({nodes}) AS a(n), range({_DAYS * 24}) AS b(h)) "
        f"TO '{path}' (FORMAT parquet, COMPRESSION zstd)"
    )


def main() -> int:
    """One statement over a made ledger, in this process: ``python -m bench.statement FOLDER``."""
    folder = Path(sys.argv[1])
    request = StatementRequest(
        ledger=str(folder / "ledger"),
        month=Month(2026, 9),
        by="label:app",
        bills=(folder / "focus.parquet",),
        memory="2GB",
    )
    begin = time.perf_counter()
    made = make_statement(request, AccountingSettings())
    used = resource.getrusage(resource.RUSAGE_SELF)
    body = {
        "wall_s": time.perf_counter() - begin,
        "cpu_s": used.ru_utime + used.ru_stime,
        "peak_gib": used.ru_maxrss / (1 << 20),
        "residual": float(made.difference),
    }
    sys.stdout.write(json.dumps(body))
    return 0


if __name__ == "__main__":
    sys.exit(main())
