"""The metrics of the gate, with their units, and how a run gives them. Less is always better."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from wattribute.core.records import Origin
from wattribute.core.units import joules, seconds, watts

if TYPE_CHECKING:
    from wattribute.node.measuring import Measurement


class Metric(NamedTuple):
    """A metric of a run."""

    unit: str
    kind: Literal["energy", "work"]
    """``energy`` is as good as the meter or the power model. ``work`` is counted by the kernel
    or the hardware, and needs no meter."""
    meaning: str


METRICS: Final[Mapping[str, Metric]] = {
    "energy_j": Metric("J", "energy", "energy of the command: CPU + DRAM + GPU + other"),
    "power_w_mean": Metric("W", "energy", "energy / time"),
    "power_w_peak": Metric(
        "W", "energy", "highest mean power over one tick (--interval, at most 1 s)"
    ),
    "edp": Metric("J s", "energy", "energy x time; saving energy by being slow does not help"),
    "co2e_g": Metric("g", "energy", "emissions of the energy, with --g-per-kwh"),
    "energy_per_unit": Metric("J", "energy", "energy per unit of work, with --units"),
    "watts_per_core": Metric(
        "W", "energy", "dynamic energy of the CPU / CPU time, where a meter measures it"
    ),
    "cpu_s": Metric("s", "work", "CPU time of the command and all its children"),
    "elapsed_s": Metric("s", "work", "time from start to end"),
    "instructions": Metric("", "work", "instructions, where the hardware counts them"),
    "cycles": Metric("", "work", "cycles, where the hardware counts them"),
}


def figures_of(measured: "Measurement", units: float | None) -> dict[str, float]:
    """Return the metrics of one run; unknown ones are left out.

    Args:
        measured: The run.
        units: Units of work that the run did (> 0); None if unknown.
    """
    elapsed_s, energy_j = seconds(measured.elapsed_ns), measured.joules
    figures = {"cpu_s": seconds(measured.cpu_ns), "elapsed_s": elapsed_s}
    if measured.by_component:
        figures |= {
            "energy_j": energy_j,
            "power_w_mean": energy_j / max(elapsed_s, 1e-9),
            "edp": energy_j * elapsed_s,
        }
        figures["power_w_peak"] = watts(measured.power_peak_uw) or figures["power_w_mean"]
        if measured.grams_co2e is not None:
            figures["co2e_g"] = measured.grams_co2e
        if units is not None:
            figures["energy_per_unit"] = energy_j / units
    cpu = measured.by_component.get("cpu")
    if cpu is not None and cpu.origin is not Origin.ESTIMATED and measured.cpu_ns:
        figures["watts_per_core"] = joules(cpu.dynamic_uj) / seconds(measured.cpu_ns)
    return figures | {
        name: float(count) for name, count in measured.counters.items() if name in METRICS
    }


def component_joules(measured: "Measurement") -> dict[str, float]:
    """Return the energy of one run by component, in joules."""
    return {
        name: joules(part.dynamic_uj + part.idle_uj) for name, part in measured.by_component.items()
    }
