"""Predict the power of a host's CPU packages and DRAM, by load."""

from math import ceil, exp
from typing import Final

import numpy as np

from wattribute.node.estimator.artefact import DramModel, Package
from wattribute.node.estimator.cpu_names import base_key
from wattribute.node.estimator.host import Host

_CHANNELS: Final = {
    "nehalem": 3, "westmere": 3, "sandybridge": 4, "ivybridge": 4, "haswell": 4, "broadwell": 4,
    "skylake-sp": 6, "cascadelake": 6, "cooperlake": 6, "icelake-sp": 8, "sapphirerapids": 8,
    "emeraldrapids": 8, "sierraforest": 8, "graniterapids": 12, "zen1": 8, "zen2": 8, "zen3": 8,
    "zen4": 12, "zen4c": 12, "zen5": 12, "zen5c": 12, "neoverse-n1": 8, "neoverse-v1": 8,
    "neoverse-n2": 12, "neoverse-v2": 12,
}  # fmt: skip
"""Memory channels of one server package. Source: the vendors' product pages."""
_SMALL_CHANNELS: Final = 2
_DESKTOP_CORES: Final = 8
_MODULE_GB: Final = ((2010, 4), (2013, 8), (2021, 32), (9999, 64))
"""By launch year of the CPU (up to, not including): the usual large module in GB."""
_SMALL_MODULE_GB: Final = 16
_OLD: Final = 2017

SMALL_CORES: Final = 12
"""Packages with fewer cores do not always reach their TDP; measured ones differ up to twofold."""


def package_watts(host: Host, part: Package, utilisation: float) -> float:
    """Return the watts of all CPU packages of the host.

    A CPU with few cores does not reach its TDP. A core's power grows with about the cube of its
    clock, so the power of all cores at the highest clock is a cap. Measured CPU models have their
    own factor by load.
    """
    curve = float(np.interp(utilisation, part.levels, part.of_tdp))
    full = host.tdp_total * part.of_tdp[-1]
    if host.boost_ghz and full > 0:
        cap = part.watts_per_core_ghz3 * host.cores * host.boost_ghz**3
        curve *= min(1.0, cap / full)
    if (added := part.cpu.get(base_key(host.cpu_key))) is not None:
        curve *= exp(float(np.interp(utilisation, part.levels, added)))
    return host.tdp_total * curve


def modules_of(host: Host) -> tuple[int, float]:
    """Return the probable number of memory modules of the host, and the gigabytes of one.

    The modules cannot be read without privilege. Servers fill all channels with small modules
    before they use large ones.
    """
    if host.cores / host.chips <= _DESKTOP_CORES and host.tdp_watts < 130:
        channels = _SMALL_CHANNELS
    else:
        channels = _CHANNELS.get(host.microarchitecture, 6)
    large_gb = next(gb for until, gb in _MODULE_GB if host.year < until)
    large = ceil(host.memory_gb / large_gb)
    small = min(
        round(channels * host.chips), ceil(host.memory_gb / min(large_gb, _SMALL_MODULE_GB))
    )
    count = max(1, large, small)
    return count, host.memory_gb / count


def memory_watts(host: Host, part: DramModel, utilisation: float) -> float:
    """Return the watts of all memory of the host.

    CPU utilisation stands in for the memory's activity, which is not visible.
    """
    count, size_gb = modules_of(host)
    watts = float(np.interp(utilisation, part.levels, part.module_watts))
    factor = part.before_2017 if host.year < _OLD else 1.0
    return float(count * (size_gb / _SMALL_MODULE_GB) ** 0.5 * watts * factor)
