"""The statement: a frozen record that every renderer takes. Nothing in it needs an engine.

Amounts of money are decimals in whole cents, and add up: ``allocated + unallocated = total``.
Energy is in whole microjoules, carbon in whole micrograms.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal

from wattribute.accounting.chargeback.accounts import AccountKind
from wattribute.accounting.chargeback.grams import Provenance
from wattribute.accounting.chargeback.money import Currency

Confidence = Literal["measured", "integrated", "estimated", "unattributable"]
_SURE: Final = 0.995
"""From this share of the energy on a row counts as of one origin."""


@dataclass(frozen=True, slots=True)
class StatementRow:
    """What one owner used and pays, or a part of what could be given to nobody."""

    id: str
    """For ``wattribute explain``."""
    owner: str
    kind: AccountKind
    dynamic_uj: int
    idle_uj: int
    """Its part of the floor."""
    spare_uj: int
    """Of the floor for what it reserved and did not use."""
    low_uj: int
    high_uj: int
    """Band around ``dynamic_uj + idle_uj``."""
    cost: Decimal
    cost_idle: Decimal
    """Of it for the floor, or unused capacity."""
    cost_spare: Decimal
    """Of it for what was reserved and not used."""
    cost_shared: Decimal
    """Of it for shared pools."""
    cost_low: Decimal
    cost_high: Decimal
    """What it would be if all of its energy were at one end of its band, and everybody else's at
    the other; the same as ``cost`` in methods that do not go by energy."""
    carbon_ug: int | None
    """Operational; None: no intensity is known for its nodes."""
    carbon_low_ug: int | None
    carbon_high_ug: int | None
    embodied_ug: int | None
    share: float
    """Of the total, 0 to 1; 0 where the total is 0."""
    confidence: Confidence
    measured: float
    """Share of its energy that was measured, 0 to 1."""
    efficiency: float | None
    """Of what it reserved, how much it used, 0 to 1; None: it reserved nothing."""
    energy_before_uj: int | None
    """The month before, by the same method; None: not known."""
    cost_before: Decimal | None

    @property
    def energy_uj(self) -> int:
        """Dynamic and idle."""
        return self.dynamic_uj + self.idle_uj


@dataclass(frozen=True, slots=True)
class Statement:
    """One month, split by one method."""

    id: str
    """The same inputs give the same id."""
    month: str
    timezone: str
    by: str
    method: str
    """Id of the method; it is on every row that leaves the house."""
    method_text: str
    floor_policy: str
    currency: Currency
    total: Decimal
    """The invoice, rounded to cents."""
    rows: tuple[StatementRow, ...]
    """Owners, the unowned and shared pools, most expensive first."""
    rest: tuple[StatementRow, ...]
    """What was allocated to nobody, and why."""
    notes: tuple[str, ...]
    sources: tuple[tuple[str, str], ...]
    """Bills and their SHA-256."""
    carbon: tuple[Provenance, ...]
    ledger: str
    engine: str
    node_hours: int

    @property
    def allocated(self) -> Decimal:
        """Sum of ``rows``."""
        return sum((row.cost for row in self.rows), Decimal(0))

    @property
    def unallocated(self) -> Decimal:
        """Sum of ``rest``."""
        return sum((row.cost for row in self.rest), Decimal(0))

    @property
    def difference(self) -> Decimal:
        """Total less allocated less unallocated; 0, always."""
        return self.total - self.allocated - self.unallocated

    @property
    def everything(self) -> tuple[StatementRow, ...]:
        """``rows`` and ``rest``."""
        return self.rows + self.rest


def confidence_of(energy_uj: int, measured_uj: int, integrated_uj: int) -> Confidence:
    """One word for the origin of a row's energy: the weakest that matters."""
    if energy_uj <= 0 or measured_uj >= _SURE * energy_uj:
        return "measured"
    if measured_uj + integrated_uj >= _SURE * energy_uj:
        return "integrated"
    return "estimated"


def cost_band(
    cost: Decimal, own: tuple[int, int, int], all_: tuple[int, int, int], places: int
) -> tuple[Decimal, Decimal]:
    """What a cost could be, given the bands of the energies that it was split by.

    Args:
        cost: What it is.
        own: The row's energy, its low and high end.
        all_: The same of all rows together.
        places: Decimal places.

    Returns:
        Low and high: of ``e / E``, with this row at one end and all others at the other end.
    """
    (energy, low, high), (total, all_low, all_high) = own, all_
    if energy <= 0 or total <= 0 or (low == energy and high == energy and all_low == all_high):
        return cost, cost
    ends = []
    for mine, remainder in ((low, all_high - high), (high, all_low - low)):
        whole = mine + remainder
        ratio = Decimal(mine) / Decimal(whole) if whole > 0 else Decimal(1)
        ends.append((cost * ratio * total / energy).quantize(Decimal(1).scaleb(-places)))
    return min(*ends, cost), max(*ends, cost)
