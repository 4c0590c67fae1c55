"""The statement: a frozen record that every renderer takes. Nothing in it needs an engine.

Amounts of money are decimals in whole cents, and add up: ``allocated + unallocated = total``.
Energy is in whole microjoules, carbon in whole micrograms.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal, NamedTuple

from wattribute.accounting.chargeback.accounts import AccountKind
from wattribute.accounting.chargeback.grams import Provenance
from wattribute.accounting.chargeback.money import Currency

Confidence = Literal["measured", "integrated", "estimated", "unattributable"]
BandOf = Literal["", "estimate", "weights", "estimate and weights"]
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
    band_of: BandOf = ""
    """What the band is of: how far estimates are off, how far weights are, or both."""

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
    shared_by: tuple[str, ...] = ()
    """By what energy was shared among consumers, as in the ledger; () if it does not say."""

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


class EnergyBand(NamedTuple):
    """Energy in microjoules, and the band around it."""

    energy_uj: int
    low_uj: int
    high_uj: int
    below_uj: int = 0
    """How far below the energy the band reaches by the weights alone."""
    above_uj: int = 0

    @property
    def reason(self) -> BandOf:
        """What the band is of; "" if it is not wider than the energy."""
        of_weights = self.below_uj > 0 or self.above_uj > 0
        of_estimate = (
            self.low_uj < self.energy_uj - self.below_uj
            or self.high_uj > self.energy_uj + self.above_uj
        )
        if of_weights:
            return "estimate and weights" if of_estimate else "weights"
        return "estimate" if of_estimate else ""


def cost_band(
    cost: Decimal, own: EnergyBand, all_: EnergyBand, places: int
) -> tuple[Decimal, Decimal]:
    """What a cost could be, given the bands of the energies that it was split by.

    Estimates of different rows are off independently, so the others' may be at their other end.
    Weights share a sum that is measured: what this row has too much the others lack, and no more.

    Args:
        cost: What it is.
        own: Of the row.
        all_: The same of all rows together.
        places: Decimal places.

    Returns:
        Low and high: of ``e / E``, with this row at one end and all others at the other end.
    """
    energy, low, high, below, above = own
    total, all_low, all_high, all_below, all_above = all_
    if energy <= 0 or total <= 0 or (low == energy and high == energy and all_low == all_high):
        return cost, cost
    others_high = all_high - high - (all_above - above) + below
    others_low = all_low - low + (all_below - below) - above
    ends = []
    for mine, remainder in ((low, others_high), (high, others_low)):
        whole = mine + max(remainder, 0)
        ratio = Decimal(mine) / Decimal(whole) if whole > 0 else Decimal(1)
        ends.append((cost * ratio * total / energy).quantize(Decimal(1).scaleb(-places)))
    return min(*ends, cost), max(*ends, cost)
