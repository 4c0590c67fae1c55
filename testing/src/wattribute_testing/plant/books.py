"""The plant's arithmetic: time in, energy out, and not a microjoule more or less.

Energies build up in femtojoules (microwatts x nanoseconds), which are whole
numbers, so that nothing is rounded from step to step; a row shows its whole
microjoules, and a zone's counter is the sum of its rows.
"""

import random
from collections.abc import Iterable, Mapping, Sequence
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
        factors_ppm = self._factors(step_ns, [*group_ns, rest_ns], corun_ppm)
        rows = [
            (group.name, spent_ns, group.watts_per_core, group.dram_watts_per_core)
            for group, spent_ns in zip(plan.groups, group_ns, strict=True)
        ]
        rows.append(("rest", rest_ns, plan.rest_watts_per_core, plan.rest_dram_watts_per_core))
        package = {
            row: self._by_socket(spent_ns, factors_ppm, _at(watts, middle_s))
            for row, spent_ns, watts, _ in rows
        }
        allowed_ppm = self._allowed(step_ns, package.values())
        for row, spent_ns, _, dram_watts in rows:
            whole = [_MILLION] * len(spent_ns)
            dram = self._by_socket(spent_ns, whole, _at(dram_watts, middle_s))
            femto = self._book(row, package[row], dram, allowed_ppm)
            if any(spent_ns) and row != "rest":
                self.last_femto[row] = (sum(spent_ns), *femto)
        if plan.noise:
            self._make_noise()

    def _factors(
        self, step_ns: int, spent_ns: Sequence[Sequence[int]], corun_ppm: Sequence[int]
    ) -> list[int]:
        """What a CPU's watts are worth in this step, in millionths, by its sibling and the load."""
        plan = self._scenario
        sibling_ppm = _MILLION - round(plan.corun_factor * _MILLION)
        full_ppm = _MILLION - round(plan.full_load_factor * _MILLION)
        busy_ns, capacity_ns = [0] * plan.sockets, [0] * plan.sockets
        for cpu, socket in enumerate(self._socket_of_cpu):
            busy_ns[socket] += sum(row[cpu] for row in spent_ns)
            capacity_ns[socket] += step_ns
        return [
            (_MILLION - sibling_ppm * ppm // _MILLION)
            * (
                _MILLION
                - full_ppm * min(busy_ns[socket], capacity_ns[socket]) // capacity_ns[socket]
            )
            // _MILLION
            for socket, ppm in zip(self._socket_of_cpu, corun_ppm, strict=True)
        ]

    def _by_socket(
        self, spent_ns: Sequence[int], factors_ppm: Sequence[int], power_uw: int
    ) -> list[int]:
        """Femtojoules of CPU time at a power, by package."""
        femto = [0] * self._scenario.sockets
        for socket, ns, ppm in zip(self._socket_of_cpu, spent_ns, factors_ppm, strict=True):
            femto[socket] += ns * power_uw * ppm // _MILLION
        return femto

    def _allowed(self, step_ns: int, rows: Iterable[Sequence[int]]) -> list[int]:
        """What part of the dynamic energy the cap leaves in each package, in millionths."""
        plan = self._scenario
        if plan.cap_watts is None:
            return [_MILLION] * plan.sockets
        most = (microwatts(plan.cap_watts) - microwatts(plan.floor_watts)) * step_ns
        return [
            min(_MILLION, most * _MILLION // max(sum(demands), 1))
            for demands in zip(*rows, strict=True)
        ]

    def _book(
        self, row: str, package: Sequence[int], dram: Sequence[int], allowed_ppm: Sequence[int]
    ) -> tuple[int, int]:
        """Book the energy of one row; return the femtojoules of packages and of DRAM."""
        package_all = dram_all = 0
        for socket, demand in enumerate(package):
            granted = demand * allowed_ppm[socket] // _MILLION
            self._femto[f"package-{socket}"][row] += granted
            package_all += granted
            if self._scenario.dram:
                self._femto[f"dram-{socket}"][row] += dram[socket]
                dram_all += dram[socket]
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
