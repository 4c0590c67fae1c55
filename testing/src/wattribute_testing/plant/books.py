"""The plant's arithmetic: time in, energy out, and not a microjoule more or less.

Energies build up in femtojoules (microwatts x nanoseconds), which are whole
numbers, so that nothing is rounded from step to step; a row shows its whole
microjoules, and a zone's counter is the sum of its rows.
"""

import random
from collections.abc import Mapping, Sequence
from typing import Final

from wattribute.core.units import microwatts
from wattribute_testing.plant.scenario import Profile, Scenario, value_at

FEMTOJOULES_PER_MICROJOULE: Final = 1_000_000_000
_MILLION: Final = 1_000_000


class Books:
    """Energy of every zone by row: ``floor``, ``noise``, one per group, ``rest``."""

    def __init__(self, scenario: Scenario, socket_of_cpu: Sequence[int]) -> None:
        """Start at 0.

        Args:
            scenario: the watts.
            socket_of_cpu: for each CPU in use (by position) the simulated package it is in.
        """
        self._scenario = scenario
        self._socket_of_cpu = socket_of_cpu
        self._groups = [group.name for group in scenario.groups]
        rows = ["floor", *self._groups, "rest"]
        kinds = ("package", "dram") if scenario.dram else ("package",)
        self._femto = {
            f"{kind}-{socket}": dict.fromkeys(rows, 0)
            for kind in kinds
            for socket in range(scenario.sockets)
        }
        self._board_femto = 0
        self._noise_uj = dict.fromkeys(range(scenario.sockets), 0)
        self._random = random.Random(scenario.seed)  # noqa: S311 - noise, not a secret
        self._shown = dict.fromkeys(range(scenario.sockets), 0)
        self.last_femto: dict[str, tuple[int, int, int]] = {}
        """By group, of the last step in which it ran: nanoseconds, package and DRAM energy."""

    def step(
        self,
        elapsed_ns: int,
        step_ns: int,
        group_ns: Sequence[Sequence[int]],
        rest_ns: Sequence[int],
        corun_ppm: Sequence[int],
    ) -> None:
        """Book one step.

        Args:
            elapsed_ns: since the start, at the end of the step: where profiles are read
                (in the middle of the step).
            step_ns: length of the step.
            group_ns: (groups, CPUs) time that each group ran on each CPU in the step.
            rest_ns: (CPUs,) the same for everybody else.
            corun_ppm: (CPUs,) how much of the step the CPU's sibling was busy, in millionths.
        """
        middle_s = (elapsed_ns - step_ns / 2) / 1e9
        plan = self._scenario
        for socket in range(plan.sockets):
            self._femto[f"package-{socket}"]["floor"] += microwatts(plan.floor_watts) * step_ns
            if plan.dram:
                self._femto[f"dram-{socket}"]["floor"] += (
                    microwatts(plan.dram_floor_watts) * step_ns
                )
        self._board_femto += microwatts(plan.board_watts) * step_ns
        fall_ppm = _MILLION - round(plan.corun_factor * _MILLION)
        factors_ppm = [_MILLION - fall_ppm * ppm // _MILLION for ppm in corun_ppm]
        for group, spent_ns in zip(plan.groups, group_ns, strict=True):
            package, dram = self._spend(
                group.name,
                spent_ns,
                factors_ppm,
                _at(group.watts_per_core, middle_s),
                _at(group.dram_watts_per_core, middle_s),
            )
            if any(spent_ns):
                self.last_femto[group.name] = (sum(spent_ns), package, dram)
        self._spend(
            "rest",
            rest_ns,
            factors_ppm,
            _at(plan.rest_watts_per_core, middle_s),
            _at(plan.rest_dram_watts_per_core, middle_s),
        )
        if plan.noise:
            self._make_noise()

    def _spend(
        self,
        row: str,
        spent_ns: Sequence[int],
        factors_ppm: Sequence[int],
        package_uw: int,
        dram_uw: int,
    ) -> tuple[int, int]:
        """Book CPU time of one row; return the femtojoules of packages and of DRAM."""
        package_all = dram_all = 0
        for socket, ns, ppm in zip(self._socket_of_cpu, spent_ns, factors_ppm, strict=True):
            package = ns * package_uw * ppm // _MILLION
            self._femto[f"package-{socket}"][row] += package
            package_all += package
            if self._scenario.dram:
                self._femto[f"dram-{socket}"][row] += ns * dram_uw
                dram_all += ns * dram_uw
        return package_all, dram_all

    def _make_noise(self) -> None:
        """Move each package's energy of this step a little; never below 0."""
        for socket in self._noise_uj:
            total_uj = sum(
                femto // FEMTOJOULES_PER_MICROJOULE
                for femto in self._femto[f"package-{socket}"].values()
            )
            step_uj = total_uj - self._shown[socket]
            self._shown[socket] = total_uj
            noise_uj = round(self._random.gauss(0, self._scenario.noise) * step_uj)
            self._noise_uj[socket] += max(noise_uj, -step_uj)

    def rows(self) -> dict[str, dict[str, int]]:
        """Microjoules since the start: zone to row to energy; a zone's counter is the sum."""
        plan = self._scenario
        whole = {
            zone: {row: femto // FEMTOJOULES_PER_MICROJOULE for row, femto in rows.items()}
            for zone, rows in self._femto.items()
        }
        if plan.noise:
            for socket, noise_uj in self._noise_uj.items():
                whole[f"package-{socket}"]["noise"] = noise_uj
        platform = _sum_rows(whole)
        for socket in range(plan.sockets):
            package = whole[f"package-{socket}"]
            if plan.core:
                whole[f"core-{socket}"] = {
                    row: uj for row, uj in package.items() if row not in {"floor", "noise"}
                }
            if plan.uncore:
                whole[f"uncore-{socket}"] = {"floor": package["floor"]}
        if plan.psys:
            board_uj = self._board_femto // FEMTOJOULES_PER_MICROJOULE
            whole["psys"] = platform | {"board": board_uj}
        return whole


def _at(profile: Profile, elapsed_s: float) -> int:
    return microwatts(value_at(profile, elapsed_s))


def _sum_rows(zones: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for rows in zones.values():
        for row, uj in rows.items():
            total[row] = total.get(row, 0) + uj
    return total
