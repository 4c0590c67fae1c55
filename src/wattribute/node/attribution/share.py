"""One interval's energy, shared among those who ran."""

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
    """Share an interval's energy: the floor apart, the rest in proportion to weight.

    With energy above the floor and nobody active, it is ``unattributed``.

    Args:
        interval: the energy to share.
        floor_uj: the zone's floor over the interval (P_idle x time), >= 0; at most the
            interval's energy is taken.
        weights: (n,) activity of each row in this zone, >= 0.
        floor_shares: (c,) what each container row pays of the floor that was taken, by the
            policy; None: nobody pays, and all of it is idle. A policy that goes by dynamic
            energy needs the shares first: build it without, then ``pay_floor``.

    Raises:
        ValueError: a weight is negative.
        Unbalanced: floor_shares are negative or more than the floor that was taken.
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
    """Return the attribution with its idle energy paid by containers.

    Args:
        attribution: one whose floor nobody pays yet.
        floor_shares: (c,) what each container row pays of its ``idle_uj``; the rest stays idle.

    Raises:
        Unbalanced: floor_shares are negative or more than the idle energy.
    """
    left_uj = attribution.idle_uj - int(floor_shares.sum())
    return replace(attribution, floor_uj=floor_shares, idle_uj=Microjoules(left_uj))
