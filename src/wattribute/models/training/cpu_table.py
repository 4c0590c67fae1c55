"""Public tables of CPUs -> the small one that the artefact ships."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from wattribute.core.units import MEGAHERTZ_PER_GIGAHERTZ
from wattribute.models.training.rows import TrainingRow, read_table
from wattribute.node.estimator.artefact import Microarchitecture
from wattribute.node.estimator.cpu_names import cpu_key, family_of
from wattribute.node.estimator.identity import Cpu
from wattribute.node.estimator.microarchitectures import microarchitecture_in

_SERVER: Final = re.compile(
    r"^(xsp|xmax|xd|x6|e[357]|e|epyc|altra|graviton\de?|axion|grace|cobalt)(-|$)"
)
"""Of these lines all CPUs are taken; of others those that were measured. For the rest the
microarchitecture must do."""
_TDP_EXPONENT_LEAST_PAIRS: Final = 20
_CLOUD_PART: Final = 85
"""Percentile of a microarchitecture's core counts that stands for what clouds buy, where no cloud
tells."""
_NOT_MEASURED: Final = {
    "kabylake": ("intel", 2016.0),
    "neoverse-v1": ("arm", 2021.0),
}
"""Launch years of microarchitectures that no published result has. Sources: the vendors'
announcements."""
_CLASS_YEAR: Final = 2020.0


@dataclass(frozen=True, slots=True)
class CpuTable:
    """What the artefact knows of CPUs."""

    cpus: dict[str, Cpu]
    microarchitectures: dict[str, Microarchitecture]
    tdp_exponent: float

    def packed(self) -> dict[str, str]:
        """Microarchitecture -> ``key tdp cores ghz boost;...``."""
        by_name: dict[str, list[str]] = defaultdict(list)
        for cpu in sorted(self.cpus.values(), key=lambda cpu: cpu.key):
            figures = (cpu.tdp_watts, cpu.cores, cpu.ghz, cpu.boost_ghz)
            by_name[cpu.microarchitecture].append(
                " ".join((cpu.key, *(f"{figure:g}" for figure in figures)))
            )
        return {name: ";".join(rows) for name, rows in sorted(by_name.items())}


def build_cpu_table(
    specs: Path | None, rented_keys: Sequence[str], rows: Sequence[TrainingRow]
) -> CpuTable:
    """From a table of specifications, and the measured machines themselves.

    Args:
        specs: ``cpu_specs.csv``.
        rented_keys: CPUs that clouds rent out, once per family of instances.
        rows: the measured machines.

    Raises:
        DataInvalid: a table cannot be read.
    """
    cpus: dict[str, Cpu] = {}
    lines = dict(_NOT_MEASURED)
    smt: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        name = row.text.get("uarch", "").strip()
        if not name or not row.number("tdp_w") or not row.number("cores"):
            continue
        lines[name] = (row.text.get("cpu_make", ""), row.number("uarch_year") or _CLASS_YEAR)
        if row.number("threads"):
            smt[name].append(row.number("threads") / row.number("cores"))
        key = cpu_key(row.text.get("cpu_name", "")) or row.text.get("cpu_key", "")
        cores = row.number("cores") / (row.number("chips") or 1.0)
        if key and " " not in key:
            cpus[key] = Cpu(
                key,
                name,
                row.number("tdp_w"),
                cores,
                row.number("base_mhz") / MEGAHERTZ_PER_GIGAHERTZ,
                0,
            )
    if specs is not None:
        for text in read_table(specs, ("name", "tdp_w", "cores", "base_ghz", "boost_ghz", "uarch")):
            _add(cpus, text)
    rented = [cpus[key] for key in rented_keys if key in cpus]
    table = {}
    for name, (make, year) in sorted(lines.items()):
        mine = [cpu for cpu in cpus.values() if cpu.microarchitecture == name]
        if not mine:
            continue
        cloud = [cpu for cpu in rented if cpu.microarchitecture == name and cpu.cores]
        table[name] = _typical(make, year, smt[name], mine, cloud)
    return CpuTable(cpus, {"": _unknown(table), **table}, _tdp_exponent(cpus))


def _add(cpus: dict[str, Cpu], text: Mapping[str, str]) -> None:
    key, tdp = cpu_key(text["name"]), _positive(text["tdp_w"])
    if not tdp or not (key in cpus or _SERVER.match(key)):
        return
    name = text["uarch"].strip() or microarchitecture_in(text["name"])
    before = cpus.get(key)
    cores, ghz, boost = (_positive(text[c]) for c in ("cores", "base_ghz", "boost_ghz"))
    if before is None:
        cpus[key] = Cpu(key, name, tdp, cores, ghz, boost)
        return
    cpus[key] = Cpu(
        key,
        before.microarchitecture or name,
        before.tdp_watts,
        before.cores or cores,
        before.ghz or ghz,
        before.boost_ghz or boost,
    )


def _typical(
    make: str, year: float, smt: Sequence[float], cpus: Sequence[Cpu], cloud: Sequence[Cpu]
) -> Microarchitecture:
    """The parts that stand for a microarchitecture: its median one, and what clouds buy."""
    sized = [cpu for cpu in cpus if cpu.cores]
    cores = float(np.median([cpu.cores for cpu in sized] or [8.0]))
    tdp = float(np.median([cpu.tdp_watts for cpu in sized or cpus] or [100.0]))
    if cloud:
        cloud_cores = float(np.median([cpu.cores for cpu in cloud]))
        cloud_tdp = float(np.median([cpu.tdp_watts for cpu in cloud]))
    else:
        cloud_cores = float(np.percentile([cpu.cores for cpu in sized] or [8.0], _CLOUD_PART))
        near = sorted(sized, key=lambda cpu: (abs(cpu.cores - cloud_cores), cpu.key))[:3]
        cloud_tdp = float(np.median([cpu.tdp_watts for cpu in near] or [tdp]))
    clocks = [cpu.ghz for cpu in cpus if cpu.ghz]
    return Microarchitecture(
        make=make,
        year=year,
        cores=round(cores),
        ghz=float(f"{np.median(clocks):.3g}") if clocks else 2.5,
        tdp_watts=float(f"{tdp:.4g}"),
        cloud_cores=round(cloud_cores),
        cloud_tdp_watts=float(f"{cloud_tdp:.4g}"),
        threads_per_core=2.0 if smt and float(np.median(smt)) > 1 else 1.0,
    )


def _unknown(table: Mapping[str, Microarchitecture]) -> Microarchitecture:
    """What stands in for a CPU of which nothing is known: the middle of what is recent."""
    recent = [m for m in table.values() if m.year >= _CLASS_YEAR - 5] or list(table.values())

    def middle(values: Sequence[float], default: float) -> float:
        return float(f"{np.median(values):.4g}") if values else default

    return Microarchitecture(
        make="",
        year=_CLASS_YEAR,
        cores=round(middle([m.cores for m in recent], 16)),
        ghz=middle([m.ghz for m in recent], 2.5),
        tdp_watts=middle([m.tdp_watts for m in recent], 150),
        cloud_cores=round(middle([m.cloud_cores for m in recent], 24)),
        cloud_tdp_watts=middle([m.cloud_tdp_watts for m in recent], 200),
        threads_per_core=2.0,
    )


def _tdp_exponent(cpus: Mapping[str, Cpu]) -> float:
    """How TDP rises with cores among the parts of one microarchitecture: TDP ~ cores^x."""
    up = down = pairs = 0.0
    groups: dict[str, list[Cpu]] = defaultdict(list)
    for cpu in cpus.values():
        if cpu.microarchitecture and cpu.cores:
            groups[f"{cpu.microarchitecture} {family_of(cpu.key)}"].append(cpu)
    for group in groups.values():
        x = np.log([cpu.cores for cpu in group])
        y = np.log([cpu.tdp_watts for cpu in group])
        up += float(((x - x.mean()) * (y - y.mean())).sum())
        down += float(((x - x.mean()) ** 2).sum())
        pairs += len(group) - 1
    return float(f"{up / down:.4g}") if down > 0 and pairs >= _TDP_EXPONENT_LEAST_PAIRS else 0.5


def _positive(text: str) -> float:
    try:
        value = float(text.replace(",", ""))
    except ValueError:
        return 0.0
    return value if 0 < value < float("inf") else 0.0
