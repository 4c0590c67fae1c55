"""Learns the watts per core of each workload from the power of a zone and CPU times alone.

One observation per tick and zone, in watts and busy threads (CPU seconds per second)::

    D = f(c) phi^gamma sum_i u_i w_i + b + e        w_i = 1 + delta_i + beta . x_i

    D      power of the zone above its floor
    u_i    use of workload i in the zone;  c = sum u / threads, the load
    f      watts per busy thread at a load, the same for everyone (SMT, turbo, uncore)
    phi    mean clock of busy CPUs over the nominal clock, where it is known
    delta  what a workload costs beyond the mean: this is what is learned
    x      features of a workload: its own use against its usual use, then hardware counters
    b      error of the floor;  e  noise

``learner`` is the way in, and is told an ``observation``. ``curve`` has f, ``slots`` gives
workloads a place in the state, ``filters`` are the Kalman filters. ``noise``, ``cap`` and ``delay``
belong to the meter. ``evidence`` weighs the filters against each other, ``jumps`` deals with sudden
changes, ``memory`` keeps workloads that have no slot, ``share_band`` says how far a share may be
off, ``saved`` is the state file's part, ``report`` what people see.
"""

from wattribute.node.attribution.learned.learner import Learner
from wattribute.node.attribution.learned.observation import Observation

__all__ = ["Learner", "Observation"]
