"""Answers the requests of Kepler up to 0.9: ``POST /model`` and ``GET /best-models``.

Kepler wants the weights of a line over CPU time. So a machine's curve is replaced by the nearest
line, and its bends are lost. Archives of pickled models are never served.
"""

from dataclasses import replace
from typing import Annotated, Any, Final, Literal

import msgspec
import numpy as np
from msgspec import Meta, Struct

from wattribute.core.errors import DataInvalid
from wattribute.core.records import Load, Machine
from wattribute.core.units import BYTES_PER_GIGABYTE, MILLISECONDS_PER_SECOND, Nanoseconds, watts
from wattribute.node.estimator.artefact import Artefact
from wattribute.node.estimator.cpu_names import cpu_key
from wattribute.node.estimator.identity import find_cpu
from wattribute.node.estimator.model import GRID, ArtefactEstimator

_METRIC: Final = "bpf_cpu_time_ms"
GROUPS: Final = ("BPFOnly",)
"""The feature groups that need only this metric, by Kepler's names."""
OUTPUTS: Final = ("AbsPower", "DynPower")
_PACKAGES: Final = ("rapl-sysfs", "rapl-msr", "intel_rapl", "trained_power_model")


class MachineSpec(Struct, frozen=True):
    """The part ``machine_spec`` of a request."""

    processor: Annotated[str, Meta(max_length=200)] = ""
    """The CPU's name: ``intel_xeon_platinum_8259cl``."""
    cores: Annotated[int, Meta(ge=0, le=100_000)] = 0
    """The number of CPUs that the kernel sees, which are threads in Kepler's discovery."""
    chips: Annotated[int, Meta(ge=0, le=1000)] = 0
    memory: Annotated[float, Meta(ge=-1, le=1e6)] = 0
    """The memory in gigabytes; -1 if not known."""
    frequency: Annotated[float, Meta(ge=-1, le=100_000)] = 0
    """The frequency in megahertz; -1 if not known."""


class ModelRequest(Struct, frozen=True):
    """The body of ``POST /model``. Other fields are ignored."""

    metrics: Annotated[list[str], Meta(max_length=100)]
    output_type: Literal["AbsPower", "DynPower"]
    source: str | None = "rapl-sysfs"
    weight: bool = False
    machine_spec: MachineSpec | None = None
    spec: MachineSpec | None = None
    """``machine_spec`` by the name that earlier clients use."""


def read_request(body: bytes) -> ModelRequest:
    """Parse the body of a request.

    Raises:
        DataInvalid: The body is not a request, or it asks for something that is not served.
    """
    try:
        request = msgspec.json.decode(body, type=ModelRequest)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as exc:
        raise DataInvalid(f"not a request for a model: {exc}") from exc
    if not request.weight:
        raise DataInvalid("archives of pickled models are never served; ask with weight: true")
    if _METRIC not in request.metrics:
        raise DataInvalid(f"cannot find model: needs the metric {_METRIC}")
    if request.source not in (None, "", "acpi", *_PACKAGES):
        raise DataInvalid(f"cannot find model for source {request.source[:40]!r}")
    return request


def machine_of(spec: MachineSpec | None) -> Machine:
    """Return the machine that a request describes.

    Raises:
        DataInvalid: The CPU or the number of cores is missing; there is no default model.
    """
    if spec is None or not spec.processor or not spec.cores:
        raise DataInvalid("cannot find model: needs machine_spec with processor and cores")
    return Machine(
        cpu_name=" ".join(spec.processor.replace("_", " ").split()),
        packages=max(1, spec.chips),
        cores=spec.cores,
        threads=spec.cores,
        memory_bytes=int(max(0.0, spec.memory) * BYTES_PER_GIGABYTE),
        base_mhz=int(max(0.0, spec.frequency)),
    )


def weights(artefact: Artefact, machine: Machine, request: ModelRequest) -> dict[str, Any]:
    """Return the answer of ``POST /model``: ``All_Weights`` of a line for each component."""
    machine = _sized(artefact, machine)
    estimator = ArtefactEstimator(artefact)
    curves = [estimator.predict(machine, Load(Nanoseconds(1), float(u))) for u in GRID]
    parts = {
        name: np.array([watts(powers[name].idle_uw + powers[name].dynamic_uw) for powers in curves])
        for name in curves[0]
    }
    if request.source == "acpi":
        lines = {"platform": np.sum(list(parts.values()), axis=0)}
    else:
        lines = {"package": parts["cpu"]} | ({"dram": parts["dram"]} if "dram" in parts else {})
    absolute = request.output_type == "AbsPower"
    answer: dict[str, Any] = {
        name: _line(np.asarray(curve), machine.threads, absolute=absolute)
        for name, curve in lines.items()
    }
    answer["model_name"] = name_of(artefact)
    answer["machine_spec"] = msgspec.to_builtins(request.machine_spec or request.spec)
    return answer


def name_of(artefact: Artefact) -> str:
    """Return a model's name in Kepler's form: trainer, then node type."""
    return f"SGDRegressorTrainer_{artefact.model}-{artefact.version}"


def best_models(artefact: Artefact, output: str | None, group: str | None) -> dict[str, Any]:
    """Return the answer of ``GET /best-models``: names by output type and feature group."""
    return {
        output_type: {name: name_of(artefact) for name in GROUPS if group in (None, "", name)}
        for output_type in OUTPUTS
        if output in (None, "", output_type)
    }


def _sized(artefact: Artefact, machine: Machine) -> Machine:
    """The machine with its number of cores; a guest, if it has fewer threads than its CPU."""
    cpu = find_cpu(artefact, cpu_key(machine.cpu_name))
    if cpu is None or not cpu.cores:
        return machine
    kind = artefact.microarchitectures.get(cpu.microarchitecture)
    smt = round(kind.threads_per_core) if kind else 1
    guest = machine.threads < machine.packages * cpu.cores
    cores = max(1, machine.threads // smt)
    return replace(machine, cores=cores, hypervisor="unknown" if guest else "")


def _line(curve: np.ndarray, threads: int, *, absolute: bool) -> dict[str, Any]:
    """The line from the curve's idle power with the least relative distance to the curve."""
    idle, rise = float(curve[0]), GRID / curve
    slope = float((rise * (curve - idle) / curve).sum() / (rise * rise).sum())
    return {
        "All_Weights": {
            "Bias_Weight": round(idle, 6) if absolute else 0.0,
            "Categorical_Variables": {},
            "Numerical_Variables": {
                _METRIC: {
                    "scale": float(threads * MILLISECONDS_PER_SECOND),
                    "weight": round(slope, 6),
                }
            },
            "CurveFit_Weights": [],
        }
    }
