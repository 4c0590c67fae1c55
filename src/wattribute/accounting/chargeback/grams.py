"""Carbon as a statement takes it: a rate per zone and hour, and who lives in which zone.

A statement knows nothing of where a rate comes from. Whoever does
(``wattribute.accounting.carbon``, put together with this in ``cli``) gives a ``Rates``; without
one the column of grams stays empty.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class CarbonFacts:
    """What the ledger knows of a node that a carbon source may go by."""

    cluster: str
    node: str
    provider_id: str
    instance_type: str
    region: str


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a zone's rate comes from; it stands under every statement."""

    zone: str
    source: str
    year: str
    """Year, or range of hours, that the figures are of."""
    basis: str
    """``location``, ``market`` or ``marginal``."""
    pue: float
    """Power usage effectiveness of the site, which the rate contains."""
    stale: bool = False
    """A live source failed, and older figures took its place."""


@dataclass(frozen=True, slots=True)
class Rates:
    """Carbon intensity by zone and hour, facility overhead included."""

    zone_of: tuple[int, ...]
    """For each node that was asked for: its row in ``provenance``, or -1 where nothing is known."""
    table: "pa.Table"
    """``zone`` (int64, row in ``provenance``), ``hour`` (int64, hours since 1970), ``ug_per_kwh``
    (int64, micrograms of CO2e per kWh at the node's own meter, that is intensity x PUE). An hour
    that is not there has no grams."""
    provenance: tuple[Provenance, ...]
    embodied_ug_per_hour: tuple[int, ...] = ()
    """For each node: micrograms of CO2e per hour of its life, from its making; 0: not known."""
