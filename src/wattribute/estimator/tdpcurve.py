"""The first estimator: a concave curve on thermal design power, and gigabytes of memory.

It knows little, and its bands say so. An estimator with a fitted artefact
takes its place behind the same protocol.
"""

from collections.abc import Mapping
from typing import Final

from wattribute.estimator.cpus import tdp_of
from wattribute.records import Load, Machine, Power
from wattribute.units import microwatts

_CURVE: Final = (0.124, 0.344, 0.43, 0.53, 0.62, 0.71, 0.77, 0.82, 0.86, 0.91, 0.94)
"""Package power / TDP at 0, 10, ... 100 % utilisation, turbo on. Median of three AWS metal hosts
(E5-2686 v4, 8175M, 8275CL) under stress-ng. Source: Teads, AWS EC2 carbon footprint data, 2021."""

_WATTS_PER_CORE_MAX: Final = 12.0
"""A part with few cores does not reach its TDP: an EPYC 8024P (8 cores, 90 W) peaks at 50 W, a
Xeon E3-1240 v2 (4 cores, 69 W) at 48 W. Source: CodeCarbon's RAPL runs."""
_SMALL_CORES: Final = 12

_DRAM_IDLE_W_PER_GB: Final = 0.043
_DRAM_BUSY_W_PER_GB: Final = 0.06
"""DRAM = GB x (0.043 + 0.06 x sqrt(utilisation)). Source: RAPL DRAM of the same hosts, where its
unit was right (Linux commit abdc75ab53b7)."""

_OTHER_OF_TDP: Final = 0.15
_OTHER_MIN_W: Final = 15.0
_DRAM_IN_WALL_W_PER_GB: Final = 0.03
_PSU_LOSS: Final = 0.08
"""Fans, disks, boards: idle wall power of servers of 2017 to 2025 is 0.18 to 0.24 x TDP (median,
SPECpower_ssj2008 results, spec.org), of which the packages are 0.06 x TDP and DRAM 0.03 W/GB. The
minimum and the power supply's loss are assumptions."""

_BANDS: Final = {"cpu": (0.6, 1.6), "microarchitecture": (0.45, 2.2), "class": (0.3, 3.0)}
"""Lowest and highest, as factors, by what is known of the CPU. Package evidence rests on few CPU
models, so these are wide on purpose."""
_BAND_GUEST: Final = (0.8, 1.25)
"""On top of that in a guest, which sees neither its neighbours nor the host's clock."""
_BAND_SMALL: Final = (0.6, 1.1)
_BAND_DRAM: Final = (0.5, 2.0)
_BAND_OTHER: Final = (0.4, 2.5)


class TdpCurve:
    """Power by component from TDP, memory and utilisation.

    A virtual machine is its share of a host: TDP by its threads, the idle
    power of that share, its own memory. It has no ``other``: what stands around
    a cloud host's CPUs was never measured by anyone who could say so.
    """

    name = "tdp-curve-1"

    def __init__(self, tdp_watts: float = 0.0) -> None:
        """Take one package's TDP as given; 0: by the CPU's identity."""
        self._tdp_watts = tdp_watts

    def predict(self, machine: Machine, load: Load) -> Mapping[str, Power]:
        """Power of ``cpu``, of ``dram`` if memory is known, and of ``other`` on bare metal."""
        utilisation = min(1.0, max(0.0, load.utilisation))
        tdp = tdp_of(machine, self._tdp_watts)
        low, high = _BANDS[tdp.basis]
        bare = not machine.hypervisor
        most = tdp.watts
        if bare and tdp.told:
            most = min(most, _WATTS_PER_CORE_MAX * machine.cores)
        if not bare:
            low, high = low * _BAND_GUEST[0], high * _BAND_GUEST[1]
        elif machine.cores < _SMALL_CORES * machine.packages:
            low, high = low * _BAND_SMALL[0], high * _BAND_SMALL[1]
        idle_w, dynamic_w = most * _CURVE[0], most * (_curve(utilisation) - _CURVE[0])
        powers = {"cpu": _power(idle_w, dynamic_w, (low, high), tdp.basis)}

        gigabytes = machine.memory_bytes / 1e9
        dram_w = gigabytes * _DRAM_BUSY_W_PER_GB * utilisation**0.5
        if gigabytes:
            powers["dram"] = _power(gigabytes * _DRAM_IDLE_W_PER_GB, dram_w, _BAND_DRAM, "class")
        if bare:
            around_w = _OTHER_OF_TDP * tdp.watts - _DRAM_IN_WALL_W_PER_GB * gigabytes
            lost_w = (dynamic_w + dram_w) * _PSU_LOSS / (1 - _PSU_LOSS)
            powers["other"] = _power(max(_OTHER_MIN_W, around_w), lost_w, _BAND_OTHER, "class")
        return powers


def _curve(utilisation: float) -> float:
    """Power / TDP at a utilisation from 0 to 1, linear between the points."""
    steps = len(_CURVE) - 1
    below = min(int(utilisation * steps), steps - 1)
    return _CURVE[below] + (_CURVE[below + 1] - _CURVE[below]) * (utilisation * steps - below)


def _power(idle_w: float, dynamic_w: float, band: tuple[float, float], basis: str) -> Power:
    total_w = idle_w + dynamic_w
    return Power(
        idle_uw=microwatts(idle_w),
        dynamic_uw=microwatts(dynamic_w),
        low_uw=microwatts(total_w * band[0]),
        high_uw=microwatts(total_w * band[1]),
        basis=basis,
    )
