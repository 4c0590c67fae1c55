"""The methods: what a charge is split by. Each has an id that goes on every row of a statement.

=====================  ==========================================================================
id                     a charge for a node and an hour is split by
=====================  ==========================================================================
requests               what was reserved (as GKE's cost allocation does); the rest is idle
max-request-usage      the larger of reserved and used; what nobody took is spread over all in the
                       same proportion (AWS' split cost allocation data)
usage                  what was used; the rest is idle
energy                 energy, the floor in proportion to dynamic energy
energy-idle-POLICY     energy, the floor by the policy (``floor.py``); ``reserved`` is the default
two-part               measured kWh x tariff, taken out of the charge and capped by it, is split by
                       energy-idle-reserved; the rest of the charge by requests
=====================  ==========================================================================

Resources are made comparable by units: one vCPU is 9, one GiB of memory 1, one GPU 90. So CPU to
memory is 9 to 1 and GPU to CPU 10 to 1, the ratios of AWS' split cost allocation data (user guide
of AWS Cost and Usage Reports, "Example of split cost allocation data", and the one for accelerated
instances: 9, 0.9 and 0.1).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import narwhals as nw

from wattribute.accounting.chargeback.engines import Frame
from wattribute.accounting.chargeback.floor import POLICIES, share
from wattribute.accounting.chargeback.usage import IDLE, RESOURCES
from wattribute.core.errors import ConfigInvalid

UNITS: Final = {"cpu": 1_152, "memory": 125, "gpu": 11_520}
"""Weights: per core millisecond, per MiB second, per device millisecond. 9 x 1024 / 8 to
1000 / 8 (a GiB ms is 1024 / 1000 MiB s) to 90 x 1024 / 8: whole numbers in the ratio 9 : 1 : 90."""

Part = Literal["energy", "capacity"]


@dataclass(frozen=True, slots=True)
class Method:
    """One way to split a charge."""

    id: str
    policy: str
    """Who pays the floor, for the kWh and, in methods that go by energy, for the money."""
    text: str
    """What it means, in one sentence, for the reader of a statement."""
    parts: tuple[Part, ...] = ("energy",)
    """Each charge is cut in these first; all but ``two-part`` have one."""
    what: str = ""
    """For the part ``capacity``: ``reserved``, ``used`` or ``most`` (the larger of both)."""
    spread: bool = False
    """What nobody took is spread over those who took something."""

    @property
    def by_energy(self) -> bool:
        """The money follows the energy, and so does the band around it."""
        return "energy" in self.parts


_POLICY_TEXT: Final = {
    "reserved": "the floor by what was reserved",
    "usage": "the floor by the share of capacity used",
    "full": "the floor in proportion to dynamic energy",
    "even": "the floor by pod and time alive",
    "none": "the floor stays unallocated",
    "separate": "the floor is an account of its own",
    "platform": "the floor is the platform team's",
}
_CAPACITY: Final[tuple[Part, ...]] = ("capacity",)
_METHODS: Final = (
    Method("requests", "reserved", "by what was reserved", _CAPACITY, "reserved"),
    Method(
        "max-request-usage",
        "reserved",
        "by the larger of reserved and used; unused capacity in the same proportion",
        _CAPACITY,
        "most",
        spread=True,
    ),
    Method("usage", "reserved", "by what was used", _CAPACITY, "used"),
    Method("energy", "full", f"by energy, {_POLICY_TEXT['full']}"),
    *(
        Method(f"energy-idle-{policy}", policy, f"by energy, {_POLICY_TEXT[policy]}")
        for policy in POLICIES
        if policy != "full"
    ),
    Method(
        "two-part",
        "reserved",
        "kWh x tariff by energy, the rest of the charge by what was reserved",
        ("energy", "capacity"),
        "reserved",
    ),
)
METHODS: Final = {method.id: method for method in _METHODS}
DEFAULT: Final = "energy-idle-reserved"
COMPARED: Final = (
    "requests",
    "max-request-usage",
    "usage",
    "energy",
    "energy-idle-reserved",
    "two-part",
)
"""What ``wattribute compare`` shows side by side."""


def method_of(name: str) -> Method:
    """A method by its id.

    Raises:
        ConfigInvalid: there is none.
    """
    try:
        return METHODS[name]
    except KeyError:
        raise ConfigInvalid(
            f"--method {name}: no such method; there are {', '.join(METHODS)}"
        ) from None


def policies_of(methods: Sequence[Method]) -> tuple[str, ...]:
    """The floor policies that these methods need, once each."""
    return tuple(dict.fromkeys(method.policy for method in methods))


def with_weights(rows: Frame, method: Method, part: Part) -> Frame:
    """Say what each row of a place and hour weighs in the splitting of a charge.

    Args:
        rows: What ``floor.pay_floor`` gave under the method's policy.
        method: How.
        part: Which part of the charges.

    Returns:
        ``place``, ``hour``, ``account``, and int64 >= 0: ``weight``, of it ``idle_weight`` (a
        share of the floor, or of capacity that nobody took) and ``spare_weight`` (reserved and
        not used).
    """
    columns = _energy_weights(method) if part == "energy" else _capacity_weights(method)
    zero = nw.lit(0).cast(nw.Int64)
    named = {
        name: nw.when(expression > 0).then(expression).otherwise(zero).cast(nw.Int64)
        for name, expression in zip(("weight", "idle_weight", "spare_weight"), columns, strict=True)
    }
    return rows.select("place", "hour", "account", **named)


def _energy_weights(method: Method) -> tuple[nw.Expr, nw.Expr, nw.Expr]:
    paid = nw.col(f"paid_{method.policy}")
    return nw.col("dynamic_uj") + paid, paid, nw.col(f"spare_{method.policy}")


def _capacity_weights(method: Method) -> tuple[nw.Expr, nw.Expr, nw.Expr]:
    zero = nw.lit(0).cast(nw.Int64)
    weight, direct, spare, left = [], [], [], []
    for resource, unit in UNITS.items():
        taken = nw.col(f"{method.what}_{resource}")
        total = nw.col(f"all_{method.what}_{resource}")
        known = nw.col(f"all_capacity_{resource}")
        capacity = nw.when(known > 0).then(known).otherwise(total)
        pool = capacity * unit
        most = nw.max_horizontal(capacity, total)
        own = share(pool, taken, most)
        nobody = share(pool, most - total, most)
        direct.append(own)
        if method.spread:
            weight.append(share(pool, taken, total))
            left.append(nw.when(total > 0).then(zero).otherwise(pool))
        else:
            weight.append(own)
            left.append(nobody)
        unused = nw.col(f"most_{resource}") - nw.col(f"used_{resource}")
        spare.append(zero if method.what == "used" else share(own, unused, taken))
    idle = nw.col("account") == IDLE
    mine, rest = nw.sum_horizontal(*weight), nw.sum_horizontal(*left)
    of_it = mine - nw.sum_horizontal(*direct)
    return (
        nw.when(idle).then(rest).otherwise(mine),
        nw.when(idle).then(rest).otherwise(of_it),
        nw.when(idle).then(zero).otherwise(nw.sum_horizontal(*spare)),
    )


def reserved_units() -> tuple[nw.Expr, nw.Expr]:
    """What was reserved, and what of it was not used, in units x 1000 x seconds."""
    reserved = [nw.col(f"reserved_{resource}") * UNITS[resource] for resource in RESOURCES]
    unused = [
        (nw.col(f"most_{resource}") - nw.col(f"used_{resource}")) * UNITS[resource]
        for resource in RESOURCES
    ]
    return nw.sum_horizontal(*reserved), nw.sum_horizontal(*unused)


def capacity_units() -> nw.Expr:
    """What the row's node has, in the same units."""
    return nw.sum_horizontal(
        *(nw.col(f"all_capacity_{resource}") * UNITS[resource] for resource in RESOURCES)
    )
