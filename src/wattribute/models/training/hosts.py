"""A measured row's columns -> the host it was measured on, as the agent would identify it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from wattribute.core.units import MEGAHERTZ_PER_GIGAHERTZ
from wattribute.models.training.rows import TrainingRow
from wattribute.node.estimator.artefact import Artefact, Microarchitecture
from wattribute.node.estimator.cpu_names import cpu_key, ghz_in
from wattribute.node.estimator.host import Host
from wattribute.node.estimator.identity import Cpu, find_cpu
from wattribute.node.estimator.makers import maker_of

_FORMS: Final = ("1u", "2u", "3u", "4u", "7u", "10u", "tower", "blade")
_GB_PER_CORE: Final = 4.0


def key_of(row: TrainingRow) -> str:
    """The CPU's key: by its name, else as the file has it."""
    return cpu_key(row.text.get("cpu_name", "")) or row.text.get("cpu_key", "")


def host_of(artefact: Artefact, row: TrainingRow) -> Host:
    """The host that the row's columns describe; what they lack comes from the artefact's tables."""
    key = key_of(row)
    return assemble(
        row, find_cpu(artefact, key), artefact.microarchitectures, artefact.tdp_exponent
    )


def assemble(
    row: TrainingRow,
    cpu: Cpu | None,
    typical: Mapping[str, Microarchitecture],
    tdp_exponent: float,
) -> Host:
    """As `host_of`, with the tables one by one: the training has no artefact yet."""
    number, text = row.number, row.text
    name = text.get("uarch", "").strip() or (cpu.microarchitecture if cpu else "")
    stand_in = typical.get(name) or typical.get("")
    year = number("uarch_year") or (stand_in.year if stand_in else 0.0) or 2017.0
    chips = number("chips") or 1.0
    cores = number("cores") or number("threads") or (cpu.cores * chips if cpu else 0.0) or 16.0
    tdp = number("tdp_w") or (cpu.tdp_watts if cpu else 0.0)
    basis = "cpu"
    if not tdp:
        basis = "microarchitecture" if name in typical and name else "class"
        if stand_in is not None:
            cores_per_chip = cores / chips
            tdp = stand_in.tdp_watts * (cores_per_chip / stand_in.cores) ** tdp_exponent
    form = text.get("form_factor", "").strip()
    totals = number("nodes") > 1 and "per node" not in text.get("note", "")
    nodes = number("nodes") or 1.0
    host = Host(
        cpu_key=key_of(row),
        microarchitecture=name,
        make=text.get("cpu_make", "") or (stand_in.make if stand_in else ""),
        year=year,
        tdp_watts=tdp or 150.0,
        chips=chips,
        cores=cores,
        threads=max(cores, number("threads")),
        memory_gb=number("mem_gb") or cores * _GB_PER_CORE,
        ghz=number("base_mhz") / MEGAHERTZ_PER_GIGAHERTZ
        or (cpu.ghz if cpu else 0.0)
        or ghz_in(text.get("cpu_name", ""))
        or (stand_in.ghz if stand_in else 0.0)
        or 2.5,
        boost_ghz=cpu.boost_ghz if cpu else 0.0,
        maker=maker_of(text.get("vendor", "")),
        form=form if form in _FORMS else "",
        nodes=nodes,
        basis=basis,
    )
    return _per_node(host) if totals else host


def watts_of(row: TrainingRow) -> float:
    """Watts of one machine: a row that says "per node" in its note, or has no nodes, already is."""
    nodes = row.number("nodes")
    return (
        row.watts / nodes if nodes > 1 and "per node" not in row.text.get("note", "") else row.watts
    )


def known_less(
    host: Host, basis: str, typical: Mapping[str, Microarchitecture], tdp_exponent: float
) -> Host:
    """The same host as the agent sees it when less is known of its CPU.

    Args:
        host: with everything known.
        basis: ``microarchitecture``: the model's name is not told; ``class``: nothing is.
        typical: the artefact's table.
        tdp_exponent: the artefact's.
    """
    if basis == "class":
        name, stand_in = "", typical[""]
    else:
        name = host.microarchitecture
        stand_in = typical.get(name) or typical[""]
    cores_per_chip = host.cores / host.chips
    return replace(
        host,
        cpu_key="",
        microarchitecture=name,
        make=host.make if basis == "microarchitecture" else "",
        year=stand_in.year,
        tdp_watts=stand_in.tdp_watts * (cores_per_chip / stand_in.cores) ** tdp_exponent,
        ghz=stand_in.ghz,
        boost_ghz=0.0,
        maker="",
        form="",
        basis=basis,
    )


def _per_node(host: Host) -> Host:
    """Figures that are of all nodes together, as of one."""
    n = host.nodes
    return replace(
        host,
        chips=max(1.0, host.chips / n),
        cores=max(1.0, host.cores / n),
        threads=max(1.0, host.threads / n),
        memory_gb=host.memory_gb / n,
    )
