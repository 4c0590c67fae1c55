"""Share one interval's energy among the rows that were active."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from wattribute.core.records import Attribution, Interval
from wattribute.core.shares import apportion
from wattribute.core.units import Microjoules


def attribute(
    interval: Interval,
    floor_uj: int,
    weights: NDArray[np.int64],
    floor_shares: NDArray[np.int64] | None = None,
) -> Attribution:
    """Share an interval's energy: the floor separately, the rest in proportion to weight.

    Energy above the floor is ``unattributed`` if no row is active.

    Args:
        interval: the energy to share.
        floor_uj: the zone's floor over the interval (P_idle x time), >= 0; it is limited to
            the interval's energy.
        weights: (n,) activity of each row in this zone, >= 0.
        floor_shares: (c,) share of each container row in the limited floor, by the policy;
            None: the whole floor is idle energy. A policy by dynamic energy needs the
            result first: call this without floor_shares, then ``pay_floor``.

    Raises:
        ValueError: a weight is negative.
        Unbalanced: floor_shares are negative or more than the limited floor.
    """
    idle_uj = min(max(floor_uj, 0), interval.energy_uj)
    above_uj = interval.energy_uj - idle_uj
    ran = bool(weights.any())
    shared_uj = above_uj if ran else 0
    whole = Attribution(
        interval,
        dynamic_uj=apportion(shared_uj, weights),
        floor_uj=np.zeros(0, dtype=np.int64),
        idle_uj=Microjoules(idle_uj),
        unattributed_uj=Microjoules(above_uj - shared_uj),
    )
    return whole if floor_shares is None else pay_floor(whole, floor_shares)


def pay_floor(attribution: Attribution, floor_shares: NDArray[np.int64]) -> Attribution:
    """Return the attribution with its idle energy assigned to containers.

    Args:
        attribution: an attribution without floor shares.
        floor_shares: (c,) share of each container row in ``idle_uj``; the rest stays idle.

    Raises:
        Unbalanced: floor_shares are negative or more than the idle energy.
    """
    left_uj = attribution.idle_uj - int(floor_shares.sum())
    return replace(attribution, floor_uj=floor_shares, idle_uj=Microjoules(left_uj))
