"""A folder of measured data -> the model artefact, byte for byte the same each time."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from math import log
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from wattribute.core.errors import DataInvalid
from wattribute.models.training.component_fit import (
    fit_memory,
    fit_package,
    fit_typical,
    held_out_parts,
)
from wattribute.models.training.cpu_table import build_cpu_table
from wattribute.models.training.crossval import COVERED, HeldOut, band_of, cross_validate
from wattribute.models.training.hosts import assemble, key_of
from wattribute.models.training.instance_table import shipped_instances
from wattribute.models.training.ordinary import (
    HeldOutServer,
    hold_out_ordinary,
    log_watts,
    widen_typical,
)
from wattribute.models.training.rows import TrainingRow, TrainingRows, is_measured, read_rows
from wattribute.models.training.shipped import shipped_wall
from wattribute.models.training.systems import System, systems_of, wall_curves
from wattribute.models.training.wall_fit import (
    LEVELS,
    Curves,
    Variances,
    find_variances,
    fit_wall,
    make_design,
)
from wattribute.node.estimator.artefact import (
    SCHEMA,
    Artefact,
    Band,
    Coefficients,
    Feature,
    TrainingSource,
)
from wattribute.node.estimator.components import SMALL_CORES
from wattribute.node.estimator.host import Host
from wattribute.node.estimator.wall import LINEAR, SMOOTH, Floats

MODEL: Final = "wattribute-power"
VERSION: Final = "1"
LICENCE: Final = "Apache-2.0; the figures of the sources stay under the sources' terms"
SOURCES: Final = (
    ("SPECpower_ssj2008 published results, Standard Performance Evaluation Corporation, spec.org",
     "SPEC fair use: cited, and shipped as fitted coefficients, not as results"),
    ("Teads, AWS EC2 turbostress runs, 2021", "published with the article on AWS carbon footprint"),
    ("CodeCarbon, RAPL profiles of CPUs", "MIT"),
    ("L. Canuto, CloudSuite runs with wall meters", "research data, published with the paper"),
    ("Intel ARK, AMD and Google Cloud product pages, TechPowerUp and Boavizta CPU tables",
     "facts: TDP, cores, clocks"),
    ("Cloud Carbon Coefficients: instance types of AWS, Azure and Google Cloud", "Apache-2.0"),
)  # fmt: skip
_LEAST_SYSTEMS: Final = 10
_WIDER: Final = {"microarchitecture": 1.3, "class": 1.8}
"""How much wider a component's band is when less is known. A judgement: each rests on few CPU
models."""

_FEW: Final = 1.25
"""Their bands are this much wider than the held-out errors, because these come from so few. A
judgement."""
_FEW_SYSTEMS: Final = 30
_NOTHING_KNOWN: Final = 0.7
"""Half to twice, where no machine could be held out."""

_AGING_YEARS: Final = 8.0
"""A system this much older than the newest counts half in what a reading tells."""

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Data:
    """What a folder holds."""

    rows: TrainingRows
    systems: list[System]
    curves: Curves
    curve_systems: tuple[System, ...]
    digests: dict[str, str]


@dataclass(frozen=True, slots=True)
class Trained:
    """The artefact, and what the model card says of it."""

    artefact: Artefact
    data: Data
    variances: Variances
    held_out: HeldOut
    ordinary: tuple[HeldOutServer, ...]


def train(folder: Path, tell: Tell = lambda _: None) -> Trained:
    """Fit all models on what the folder holds.

    Args:
        folder: CSV files with the data dictionary's columns; ``cpu_specs.csv``, where
            it is there. Subfolders too.
        tell: takes a line of progress.

    Raises:
        DataInvalid: there is not enough in it.
    """
    measured, specs = _files_in(folder)
    rows = TrainingRows()
    for path in measured:
        rows.add(read_rows(path))
    instances = shipped_instances()
    table = build_cpu_table(specs, instances.rented(), rows.rows)
    digests = instances.data_sha256 | _digests((*measured, specs) if specs else measured)

    def host_of(row: TrainingRow) -> Host:
        cpu = table.cpus.get(key_of(row))
        return assemble(row, cpu, table.microarchitectures, table.tdp_exponent)

    systems = systems_of(rows.rows, host_of)
    curves, curve_rows = wall_curves(systems)
    if len(curve_rows) < _LEAST_SYSTEMS:
        raise DataInvalid(
            f"{folder}: {len(curve_rows)} benchmark systems with wall power from 0 to 100 % load; "
            f"the fit needs {_LEAST_SYSTEMS}"
        )
    tell(f"{len(rows.rows)} rows, {len(systems)} systems; {len(curve_rows)} whole wall curves")
    design = make_design(curves.hosts)
    tell("variances of the groups of features")
    variances = find_variances(curves, design)
    wall = fit_wall(curves, design, variances)
    tell("held-out errors, grouped by CPU model")
    cross_validated = cross_validate(
        curves, variances, table.microarchitectures, table.tdp_exponent
    )
    tell("packages, memory, ordinary servers")
    typical = fit_typical(systems, partial(log_watts, wall))
    package, memory = fit_package(systems), fit_memory(systems)
    artefact = Artefact(
        schema=SCHEMA,
        model=MODEL,
        version=VERSION,
        licence=LICENCE,
        sources=[TrainingSource(name=name, terms=terms) for name, terms in SOURCES],
        data_sha256=digests,
        features=[Feature(name=name, unit=unit) for name, unit in LINEAR]
        + [Feature(name=f"smooth_{name}", unit="as above") for name in SMOOTH],
        targets=[f"ln W at {level:.0%} of load" for level in LEVELS],
        coefficients=Coefficients(
            wall=shipped_wall(wall, typical, _few(curves)), package=package, memory=memory
        ),
        quantiles=_bands(cross_validated, systems),
        covariance=_table(_covariance(cross_validated, "cpu", curves)),
        covariance_seen=_table(_covariance(cross_validated, "seen", curves))
        if cross_validated.systems["seen"]
        else [],
        tdp_exponent=table.tdp_exponent,
        microarchitectures=table.microarchitectures,
        cpus=table.packed(),
        instances=instances.packed(table.cpus),
    )
    ordinary = hold_out_ordinary(systems, curves, variances, wall)
    artefact = widen_typical(artefact, ordinary)
    data = Data(rows, systems, curves, curve_rows, digests)
    return Trained(artefact, data, variances, cross_validated, ordinary)


def _files_in(folder: Path) -> tuple[list[Path], Path | None]:
    """Return the files with measured rows, and the one with facts about CPUs if it is there.

    Raises:
        DataInvalid: No file has measured rows.
    """
    files = sorted(folder.rglob("*.csv")) if folder.is_dir() else []
    measured = [path for path in files if is_measured(path)]
    if not measured:
        raise DataInvalid(
            f"{folder}: no CSV file with the columns scope, system_id, util_pct and watts"
        )
    return measured, next((path for path in files if path.name == "cpu_specs.csv"), None)


def _digests(paths: Iterable[Path]) -> dict[str, str]:
    return {path.name: sha256(path.read_bytes()).hexdigest() for path in paths}


def encode(artefact: Artefact) -> bytes:
    """The artefact's file."""
    return msgspec.json.encode(artefact, order="deterministic") + b"\n"


def _few(curves: Curves) -> list[str]:
    """Designers of CPUs with too few systems for a band of their own."""
    count = Counter(host.make for host in curves.hosts)
    return sorted(make for make, systems in count.items() if systems < _FEW_SYSTEMS)


def _covariance(cross_validated: HeldOut, knowledge: str, curves: Curves) -> Floats:
    """Of the held-out errors; far ones are drawn in, so that a few odd systems do not decide.

    Old systems count less: an idle reading tells less of a machine that sleeps deeper.
    """
    errors = cross_validated.errors[knowledge]
    bound = 3 * np.median(np.abs(errors), axis=0) / 0.6745
    years = np.array([curves.hosts[i].year for i in cross_validated.systems[knowledge]])
    weight = 1 / (1 + ((years.max() - years) / _AGING_YEARS) ** 2)
    return np.asarray(np.cov(np.clip(errors, -bound, bound), rowvar=False, aweights=weight))


def _bands(cross_validated: HeldOut, systems: Sequence[System]) -> dict[str, dict[str, Band]]:
    small = [s for s in systems if s.host.cores / s.host.chips < SMALL_CORES]
    parts = {
        "pkg": _part_band(systems, "pkg", without=small),
        "pkg_small": _part_band(systems, "pkg"),
        "dram": _part_band(systems, "dram"),
    }
    bands: dict[str, dict[str, Band]] = {}
    for knowledge in ("seen", "cpu", "microarchitecture", "class"):
        errors = cross_validated.errors[knowledge]
        bands[knowledge] = {
            "wall": band_of(errors if len(errors) else cross_validated.errors["class"])
        }
        wider = _WIDER.get(knowledge, 1.0)
        for scope, band in parts.items():
            bands[knowledge][scope] = Band(
                levels=band.levels,
                low=_times(band.low, wider),
                high=_times(band.high, wider),
            )
    return bands


def _part_band(systems: Sequence[System], scope: str, without: Sequence[System] = ()) -> Band:
    """The band of a component, from machines that were held out.

    The same on both sides: which way a few machines differ says nothing of the next.
    """
    left_out = {s.system_id for s in without}
    points = [
        point
        for system_id, held_out_points in held_out_parts(systems, scope).items()
        if system_id not in left_out
        for point in held_out_points
    ]
    sizes = [abs(log(p.measured_w / p.predicted_w)) for p in points] or [_NOTHING_KNOWN]
    wide = float(f"{np.quantile(sizes, COVERED) * _FEW:.6g}")
    return Band(levels=[0.0, 1.0], low=[-wide, -wide], high=[wide, wide])


def _table(values: Floats) -> list[list[float]]:
    return [[float(f"{value:.6g}") for value in row] for row in values]


def _times(values: Sequence[float], factor: float) -> list[float]:
    return [float(f"{value * factor:.6g}") for value in values]
