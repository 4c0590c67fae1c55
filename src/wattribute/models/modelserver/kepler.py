"""What Kepler up to 0.9 asks of its model server: ``POST /model`` and ``GET /best-models``.

Kepler takes weights of a line over CPU time, so a machine's curve becomes the line that lies
nearest to it; what a curve knows beyond that is lost. Archives of pickled models are never served.
"""

from dataclasses import replace
from typing import Annotated, Any, Final, Literal

import msgspec
import numpy as np
from msgspec import Meta, Struct

from wattribute.core.errors import DataInvalid
from wattribute.core.records import Load, Machine
from wattribute.core.units import Nanoseconds, watts
from wattribute.node.estimator.artefact import Artefact
from wattribute.node.estimator.cpu_names import cpu_key
from wattribute.node.estimator.identity import find_cpu
from wattribute.node.estimator.model import GRID, ArtefactEstimator

_METRIC: Final = "bpf_cpu_time_ms"
_MS_PER_S: Final = 1000.0
GROUPS: Final = ("BPFOnly",)
"""Feature groups that the one metric makes up; the names are Kepler's."""
OUTPUTS: Final = ("AbsPower", "DynPower")
_GB: Final = 1e9
_PACKAGES: Final = ("rapl-sysfs", "rapl-msr", "intel_rapl", "trained_power_model")


class Spec(Struct, frozen=True):
    """``machine_spec``."""

    processor: Annotated[str, Meta(max_length=200)] = ""
    """``intel_xeon_platinum_8259cl``"""
    cores: Annotated[int, Meta(ge=0, le=100_000)] = 0
    """CPUs that the kernel sees: Kepler's discovery counts threads."""
    chips: Annotated[int, Meta(ge=0, le=1000)] = 0
    memory: Annotated[float, Meta(ge=-1, le=1e6)] = 0
    """Gigabytes; -1: not known."""
    frequency: Annotated[float, Meta(ge=-1, le=100_000)] = 0
    """Megahertz; -1: not known."""


class Request(Struct, frozen=True):
    """The body of ``POST /model``; what is not here is not used."""

    metrics: Annotated[list[str], Meta(max_length=100)]
    output_type: Literal["AbsPower", "DynPower"]
    source: str | None = "rapl-sysfs"
    weight: bool = False
    machine_spec: Spec | None = None
    spec: Spec | None = None
    """The same, as earlier clients called it."""


def read_request(body: bytes) -> Request:
    """The request in a body.

    Raises:
        DataInvalid: it is none, or asks for what is not served; one line says which.
    """
    try:
        request = msgspec.json.decode(body, type=Request)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as exc:
        raise DataInvalid(f"not a request for a model: {exc}") from exc
    if not request.weight:
        raise DataInvalid("archives of pickled models are never served; ask with weight: true")
    if _METRIC not in request.metrics:
        raise DataInvalid(f"cannot find model: needs the metric {_METRIC}")
    if request.source not in (None, "", "acpi", *_PACKAGES):
        raise DataInvalid(f"cannot find model for source {request.source[:40]!r}")
    return request


def machine_of(spec: Spec | None) -> Machine:
    """The machine that a request describes.

    Raises:
        DataInvalid: without CPU and number of cores there is no model, and never a default.
    """
    if spec is None or not spec.processor or not spec.cores:
        raise DataInvalid("cannot find model: needs machine_spec with processor and cores")
    return Machine(
        cpu_name=" ".join(spec.processor.replace("_", " ").split()),
        packages=max(1, spec.chips),
        cores=spec.cores,
        threads=spec.cores,
        memory_bytes=int(max(0.0, spec.memory) * _GB),
        base_mhz=int(max(0.0, spec.frequency)),
    )


def weights(artefact: Artefact, machine: Machine, request: Request) -> dict[str, Any]:
    """The answer: for each component ``All_Weights`` of a line."""
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
    """The name in Kepler's way: trainer, then node type."""
    return f"SGDRegressorTrainer_{artefact.model}-{artefact.version}"


def best_models(artefact: Artefact, output: str | None, group: str | None) -> dict[str, Any]:
    """The answer of ``GET /best-models``: output type -> feature group -> name."""
    return {
        one: {name: name_of(artefact) for name in GROUPS if group in (None, "", name)}
        for one in OUTPUTS
        if output in (None, "", one)
    }


def _sized(artefact: Artefact, machine: Machine) -> Machine:
    """Fewer threads than the CPU has make it a guest; else threads become cores."""
    cpu = find_cpu(artefact, cpu_key(machine.cpu_name))
    if cpu is None or not cpu.cores:
        return machine
    kind = artefact.microarchitectures.get(cpu.microarchitecture)
    smt = round(kind.threads_per_core) if kind else 1
    guest = machine.threads < machine.packages * cpu.cores
    cores = max(1, machine.threads // smt)
    return replace(machine, cores=cores, hypervisor="unknown" if guest else "")


def _line(curve: np.ndarray, threads: int, *, absolute: bool) -> dict[str, Any]:
    """The line from the curve's idle power that lies nearest to it, in parts of the power."""
    idle, rise = float(curve[0]), GRID / curve
    slope = float((rise * (curve - idle) / curve).sum() / (rise * rise).sum())
    return {
        "All_Weights": {
            "Bias_Weight": round(idle, 6) if absolute else 0.0,
            "Categorical_Variables": {},
            "Numerical_Variables": {
                _METRIC: {"scale": threads * _MS_PER_S, "weight": round(slope, 6)}
            },
            "CurveFit_Weights": [],
        }
    }
