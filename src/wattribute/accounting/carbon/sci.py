"""Software Carbon Intensity (ISO/IEC 21031:2024): ((E x I) + M) per R.

E counts all that was reserved or provisioned, idle machines too, and the data centre around them
(PUE). I is location-based or marginal, never of the market. M is the hardware's embodied share.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from wattribute.accounting.carbon.intensity import Basis
from wattribute.accounting.carbon.tables import servers
from wattribute.core.errors import ConfigInvalid, IntensityAbsent
from wattribute.core.units import GRAMS_PER_KILOGRAM

_YEAR: Final = timedelta(hours=8760)


@dataclass(frozen=True, slots=True)
class Embodied:
    """Grams of making the hardware that fall on one hour of one node, and whose word that is."""

    g_per_hour: float
    source: str


@dataclass(frozen=True, slots=True)
class Sci:
    """Grams per functional unit; ``g_per_unit`` is the score."""

    operational_g: float
    """E x I: of the energy, with the data centre."""
    embodied_g: float
    units: float
    """R: how many functional units there were; more than 0."""
    basis: Basis

    def __post_init__(self) -> None:
        """A score of the market, or per nothing, cannot be made."""
        if self.basis is Basis.MARKET:
            raise ConfigInvalid(
                "SCI: ISO/IEC 21031 excludes market instruments; set carbon.basis to location or "
                "marginal"
            )
        if not self.units > 0:
            raise IntensityAbsent(
                f"SCI: {self.units:g} functional units: there is nothing to divide by"
            )

    @property
    def g_per_unit(self) -> float:
        """((E x I) + M) / R."""
        return (self.operational_g + self.embodied_g) / self.units


def embodied_of_instance(instance_type: str, years: float) -> Embodied:
    """M of one hour of a cloud's instance: TE x (TiR / EL) x (RR / ToR), by vCPUs of the server.

    Args:
        instance_type: ``m5.large``; AWS' types are known.
        years: EL, over which the server is written off.

    Raises:
        IntensityAbsent: the type is not in the table.
    """
    server = servers().get(instance_type.strip().lower())
    if server is None:
        raise IntensityAbsent(
            f"carbon: no embodied emissions are known of {instance_type!r}; set carbon.server_kg"
        )
    share = server.vcpus / server.server_vcpus
    return Embodied(_per_hour(server.server_kg, years) * share, server.source)


def embodied_of_server(server_kg: float, years: float) -> Embodied:
    """M of one hour of a whole server whose maker says what making it emitted."""
    return Embodied(_per_hour(server_kg, years), "settings")


def _per_hour(server_kg: float, years: float) -> float:
    return server_kg * GRAMS_PER_KILOGRAM / (years * (_YEAR / timedelta(hours=1)))
