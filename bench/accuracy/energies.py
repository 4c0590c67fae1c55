"""What an agent reported of each group of a plant, and what was true."""

import time
from dataclasses import dataclass
from typing import Any, Final

from wattribute_testing.plant import Journal, Truth

REST: Final = "rest"
"""Everything on the machine that the plant did not start."""
_ZONES: Final = {"cpu": "package-0", "dram": "dram-0"}


@dataclass(frozen=True, slots=True)
class Energy:
    """Of one group, between two snapshots."""

    reported_uj: float
    true_uj: float

    @property
    def off_percent(self) -> float:
        """How far off the report is; above 0 if it is too much."""
        return 100 * (self.reported_uj / self.true_uj - 1)


def energies(
    truth: Truth,
    journal: Journal,
    before: dict[str, Any],
    after: dict[str, Any],
    component: str,
) -> dict[str, Energy]:
    """Return the energy of each group and of the rest in one component, between two snapshots."""
    offset_ns = time.time_ns() - time.monotonic_ns()
    start, end = (round(s["time_s"] * 1e9) - offset_ns for s in (before, after))
    ids = {group.container_id: name for name, group in truth.groups.items()}
    reported_uj = dict.fromkeys((*truth.groups, REST), 0.0)
    for sign, snapshot in ((1e6, after), (-1e6, before)):
        for row in snapshot["containers"]:
            name = ids.get(row["container_id"], REST)
            reported_uj[name] += sign * row["joules"].get(component, 0.0)
    columns = {name: f"{_ZONES[component]}/{name}" for name in reported_uj}
    return {
        name: Energy(
            said_uj, journal.value(columns[name], end) - journal.value(columns[name], start)
        )
        for name, said_uj in reported_uj.items()
    }


def sum_of_errors(parts: dict[str, Energy]) -> float:
    """Return the sum of all errors in percent of the energy."""
    total = sum(one.true_uj for one in parts.values())
    return 100 * sum(abs(one.reported_uj - one.true_uj) for one in parts.values()) / total
