"""A small made data set: servers whose watts follow a formula, so that the truth is known."""

import csv
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from wattribute.models.training.train import Trained, train

COLUMNS = (
    "row_id", "subset", "source", "scope", "system_id", "vendor", "system", "cpu_key", "cpu_name",
    "cpu_make", "uarch", "uarch_year", "tdp_w", "chips", "cores", "threads", "guest_vcpus",
    "base_mhz", "mem_gb", "hw_year", "published", "nodes", "form_factor", "util_pct", "load_kind",
    "watts", "n_samples", "note",
)  # fmt: skip
CPUS = (
    # name, make, microarchitecture, year, TDP, cores of one package, MHz
    ("Intel Xeon X5650", "intel", "westmere", 2010, 95, 6, 2660),
    ("Intel Xeon E5-2660", "intel", "sandybridge", 2011, 95, 8, 2200),
    ("Intel Xeon E5-2699 v4", "intel", "broadwell", 2016, 145, 22, 2200),
    ("Intel Xeon Platinum 8180", "intel", "skylake-sp", 2017, 205, 28, 2500),
    ("Intel Xeon Platinum 8280", "intel", "cascadelake", 2019, 205, 28, 2700),
    ("AMD EPYC 7702", "amd", "zen2", 2019, 200, 64, 2000),
    ("AMD EPYC 7763", "amd", "zen3", 2021, 280, 64, 2450),
    ("AMD EPYC 9654", "amd", "zen4", 2022, 360, 96, 2400),
)
LOADS = tuple(range(0, 101, 10))
PACKAGE = (0.12, 0.34, 0.43, 0.53, 0.62, 0.71, 0.77, 0.82, 0.86, 0.91, 0.94)


@dataclass
class Made:
    """Rows for a CSV file."""

    rows: list[dict[str, Any]] = field(default_factory=list)

    def add(self, **values: Any) -> None:
        base = {"row_id": len(self.rows) + 1, "chips": 2, "nodes": 1, "form_factor": "2u"}
        self.rows.append(base | values)

    def write(self, path: Path) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(self.rows)
        return path


def cpu_of(number: int) -> dict[str, Any]:
    """A CPU's columns."""
    name, make, uarch, year, tdp, cores, mhz = CPUS[number]
    return {
        "cpu_name": name, "cpu_make": make, "uarch": uarch, "uarch_year": year, "tdp_w": tdp,
        "cores": 2 * cores, "threads": 4 * cores, "base_mhz": mhz, "hw_year": year + 1,
    }  # fmt: skip


def wall_w(tdp: float, memory: float, load: float, idle: float = 1.0) -> float:
    """What the made servers draw: two packages, memory, a board."""
    floor = (0.3 * tdp + 0.1 * memory + 25) * idle
    return floor + (1.7 * tdp + 0.1 * memory) * load**1.1


def made_rows() -> Made:
    made = Made()
    for number, cpu in enumerate(CPUS):
        for copy, memory in enumerate((64, 128, 256)):
            for load in LOADS:
                made.add(
                    subset="spec_made", scope="wall", system_id=f"spec-{number}-{copy}",
                    vendor=("Dell Inc.", "HPE", "Lenovo")[copy], mem_gb=memory, util_pct=load,
                    load_kind="specpower_ssj target load (throughput %)",
                    watts=round(wall_w(cpu[4], memory, load / 100), 3), **cpu_of(number),
                )  # fmt: skip
    for number in (2, 3, 4):
        for load, part in zip(LOADS, PACKAGE, strict=True):
            tdp = CPUS[number][4]
            shared = {"system_id": f"cloud-{number}", "util_pct": load, "load_kind": "stress-ng"}
            made.add(subset="pkg_made", scope="pkg", mem_gb=384, watts=2 * tdp * part,
                     **shared, **cpu_of(number))  # fmt: skip
            made.add(subset="pkg_made", scope="dram", mem_gb=384, watts=14 + 0.18 * load,
                     **shared, **cpu_of(number))  # fmt: skip
    for number in (1, 2, 3):
        for load in range(1, 100, 7):
            made.add(
                subset="plain_made", scope="wall", system_id=f"plain-{number}", mem_gb=64,
                util_pct=load, load_kind="CloudSuite",
                watts=wall_w(CPUS[number][4], 64, load / 100, idle=1.4 + 0.1 * number),
                **cpu_of(number),
            )  # fmt: skip
    return made


@pytest.fixture
def made() -> Made:
    return made_rows()


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as `model train` takes it."""
    root = tmp_path_factory.mktemp("data")
    made_rows().write(root / "power-models" / "power_made.csv")
    (root / "power-models" / "cpu_specs.csv").write_text(
        "key,name,make,tdp_w,src,cores,base_ghz,boost_ghz,launch,uarch\n"
        "x,Intel® Xeon® Platinum 8380 Processor,intel,270,ark,40,2.3,3.4,Q2'21,icelake-sp\n"
        "x,AMD EPYC 7R13,amd,225,tpu,48,2.65,,,zen3\n"
        "x,AMD EPYC™ 7763,amd,280,amd,64,2.45,3.5,,zen3\n"
        "x,Intel Core i7-8700B,intel,65,ark,6,3.2,4.6,,coffeelake\n"
        "x,Broken,intel,,ark,,,,,\n"
    )
    return root


@pytest.fixture(scope="session")
def trained(folder: Path) -> Trained:
    return train(folder)


@pytest.fixture
def file(tmp_path: Path) -> Callable[[Made], Path]:
    """Writes rows into a file."""
    return lambda rows: rows.write(tmp_path / "rows.csv")
