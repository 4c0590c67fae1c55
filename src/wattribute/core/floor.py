"""Who pays the floor: the energy that a machine uses for being on.

The choice decides bills, so every report names it. Each policy stands here, once. Two readers apply
it: the node to an interval, with numpy (``node.attribution.policy``), and a statement to an hour of
the ledger, with expressions for a query engine (``accounting.chargeback.floor``). Both give the
same split; a test holds them against each other.

=========  ======================  =======================  ====================  ================
policy     cpu, other              dram                     gpu                   what nobody pays
=========  ======================  =======================  ====================  ================
reserved   CPU requested           memory requested         devices requested     idle
usage      CPU time used           memory resident          time on the device    idle
full       dynamic energy          dynamic energy           dynamic energy        idle: nobody ran
even       pods, by time alive     pods, by time alive      pods, by time alive   idle: no pod
none       nobody                  nobody                   nobody                idle: all of it
separate   nobody                  nobody                   nobody                a row of its own
platform   nobody                  nobody                   nobody                the platform team
=========  ======================  =======================  ====================  ================

Under ``full``, when the zone used no more than its floor, there is no dynamic energy to go by, and
CPU time (on a GPU: time on the device) takes its place. ``other`` (fans, disks, power supply) has
no resource of its own and goes as ``cpu`` does.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, Protocol, TypeVar

from wattribute.core.errors import ConfigInvalid

Resource = Literal["cpu", "memory", "gpu"]
Measure = Literal["reserved", "used", "time", "dynamic", "pod_time"]
"""What a row's part of a floor may go by, in the component's own resource: what it reserved of it
while it was alive; what it used of it; its CPU time, or time on the device; its energy above the
floor; the time for which its pods were alive, each pod once."""
Unpaid = Literal["idle", "row", "platform"]
"""Where a statement puts what nobody pays: on the idle row, which is allocated to nobody; on the
idle row, which counts as allocated; to the platform team."""

RESOURCE_OF: Final[Mapping[str, Resource]] = {
    "cpu": "cpu",
    "dram": "memory",
    "gpu": "gpu",
    "other": "cpu",
}
"""Component to the resource that is reserved or used of it."""


@dataclass(frozen=True, slots=True)
class FloorPolicy:
    """One way to share the floor."""

    name: str
    text: str
    """What it does with the floor, for the reader of a statement."""
    by: tuple[Measure, ...] = ()
    """Rows pay in proportion to the first of these of which any row has something. Without any of
    these nobody pays."""
    capped: bool = True
    """Rows pay for their part of the capacity, and nobody pays for what nobody took. Else rows pay
    the whole floor. Where rows take more than there is they pay the whole floor in any case."""
    unpaid: Unpaid = "idle"

    @property
    def on_node(self) -> bool:
        """An agent can apply the policy: what nobody pays has no place but ``idle`` there."""
        return self.unpaid == "idle"

    @property
    def by_reservation(self) -> bool:
        """Rows pay for what they reserved, whether they used it or not."""
        return "reserved" in self.by

    @property
    def by_use(self) -> bool:
        """Rows pay for what they used, or for how long they ran."""
        return "used" in self.by or "time" in self.by


FLOOR_POLICIES: Final = {
    policy.name: policy
    for policy in (
        FloorPolicy("reserved", "the floor by what was reserved", ("reserved",)),
        FloorPolicy("usage", "the floor by the share of capacity used", ("used",)),
        FloorPolicy(
            "full",
            "the floor in proportion to dynamic energy",
            ("dynamic", "time"),
            capped=False,
        ),
        FloorPolicy("even", "the floor by pod and time alive", ("pod_time",)),
        FloorPolicy("none", "the floor stays unallocated"),
        FloorPolicy("separate", "the floor is an account of its own", unpaid="row"),
        FloorPolicy("platform", "the floor is the platform team's", unpaid="platform"),
    )
}
"""Every policy, by name. A policy that goes by what is measured already is one entry here."""
NODE_POLICIES: Final = tuple(name for name, policy in FLOOR_POLICIES.items() if policy.on_node)
"""Names of the policies that an agent can apply."""


def policy_named(name: str) -> FloorPolicy:
    """Return a policy by its name.

    Raises:
        ConfigInvalid: there is no such policy.
    """
    try:
        return FLOOR_POLICIES[name]
    except KeyError:
        raise ConfigInvalid(
            f"{name}: no such floor policy; there are {', '.join(FLOOR_POLICIES)}"
        ) from None


T = TypeVar("T")


class FloorRows(Protocol[T]):
    """The rows among which the floor of one component is shared, as one reader holds them.

    ``T`` is what the reader computes with: columns and numbers, or expressions for them.
    """

    @property
    def nothing(self) -> T:
        """Zero, for every row."""
        ...

    def amounts(self, measure: Measure) -> T:
        """Each row's amount of a measure, >= 0."""
        ...

    def total(self, measure: Measure) -> T:
        """The sum of the amounts of all rows."""
        ...

    def capacity(self, measure: Measure) -> T:
        """How much of a measure the machine has; 0 where there is no such bound."""
        ...

    def larger(self, first: T, second: T) -> T:
        """The larger of two numbers."""
        ...

    def if_any(self, total: T, then: T, otherwise: T) -> T:
        """``then`` where a total is more than 0, else ``otherwise``."""
        ...


def claims(policy: FloorPolicy, rows: FloorRows[T]) -> tuple[T, T]:
    """Return what each row claims of the floor, and of how much in all.

    A row pays floor x claim / all. Where all is 0 nobody pays. What is paid by no row stays unpaid.

    Args:
        policy: Who pays.
        rows: What the policy goes by.
    """
    claim, whole = rows.nothing, rows.nothing
    for measure in reversed(policy.by):
        total = rows.total(measure)
        most = rows.larger(total, rows.capacity(measure)) if policy.capped else total
        claim = rows.if_any(total, rows.amounts(measure), claim)
        whole = rows.if_any(total, most, whole)
    return claim, whole
