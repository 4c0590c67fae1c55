"""The methods: what a charge is split by. The id of one stands on every row of a statement.

=====================  ==========================================================================
id                     a charge for a node and an hour is split by
=====================  ==========================================================================
requests               what was reserved (as GKE's cost allocation does); the rest is idle
max-request-usage      the larger of reserved and used; what nobody took is spread over all in the
                       same proportion (AWS' split cost allocation data)
usage                  what was used; the rest is idle
energy                 energy, the floor in proportion to dynamic energy
energy-idle-POLICY     energy, the floor by the policy (``core.floor``); ``reserved`` is the default
energy-by-time         as energy-idle-reserved, but with energy as CPU time alone would share it
energy-by-learned      as energy-idle-reserved, but with energy as learned weights share it
two-part               measured kWh x tariff, taken out of the charge and capped by it, is split by
                       energy-idle-reserved; the rest of the charge by requests
=====================  ==========================================================================

What a method weighs by stands in ``weights.py``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from wattribute.accounting.chargeback.other_weights import AS_SHARED, EnergyColumn
from wattribute.core.errors import ConfigInvalid
from wattribute.core.floor import FLOOR_POLICIES, FloorPolicy, policy_named

Part = Literal["energy", "capacity"]


@dataclass(frozen=True, slots=True)
class Method:
    """One way to split a charge."""

    id: str
    policy: str
    """Name of the floor's policy: who pays the floor, for the kWh and, in methods that go by
    energy, for the money."""
    text: str
    """What it means, in one sentence, for the reader of a statement."""
    parts: tuple[Part, ...] = ("energy",)
    """Each charge is cut in these first; all but ``two-part`` have one."""
    what: str = ""
    """For the part ``capacity``: ``reserved``, ``used`` or ``most`` (the larger of both)."""
    spread: bool = False
    """What nobody took is spread over those who took something."""
    energy: EnergyColumn = AS_SHARED
    """The ledger's column that is taken for the energy."""

    @property
    def floor(self) -> FloorPolicy:
        """The policy itself."""
        return policy_named(self.policy)

    @property
    def by_energy(self) -> bool:
        """The money follows the energy, and so does the band around it."""
        return "energy" in self.parts


_CAPACITY: Final[tuple[Part, ...]] = ("capacity",)
_OTHER_WEIGHTS: Final[tuple[tuple[str, str, EnergyColumn], ...]] = (
    ("time", "CPU time alone", "time_uj"),
    ("learned", "learned weights", "learned_uj"),
)
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
    Method("energy", "full", f"by energy, {FLOOR_POLICIES['full'].text}"),
    *(
        Method(f"energy-idle-{name}", name, f"by energy, {policy.text}")
        for name, policy in FLOOR_POLICIES.items()
        if name != "full"
    ),
    *(
        Method(
            f"energy-by-{weight}",
            "reserved",
            f"by energy as {words} would share it, {FLOOR_POLICIES['reserved'].text}",
            energy=column,
        )
        for weight, words, column in _OTHER_WEIGHTS
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
    "energy-by-time",
    "energy-by-learned",
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


def policies_of(methods: Sequence[Method]) -> tuple[FloorPolicy, ...]:
    """The floor policies that these methods need, once each."""
    return tuple(dict.fromkeys(method.floor for method in methods))
