"""What a kilowatt-hour emits by how it was generated: life cycle, medians of published reviews.

IPCC AR5, Working Group III (2014), Annex III, table A.III.2; oil from the IPCC's special report on
renewables (2011), Annex II, table A.II.4, because AR5 has none.
"""

from typing import Final

_COAL: Final = 820.0
_GAS: Final = 490.0
_OIL: Final = 840.0
_HYDRO: Final = 24.0

G_PER_KWH: Final = {
    "B01": 230.0,  # biomass, dedicated
    "B02": _COAL,  # lignite; AR5 does not tell it from hard coal: too little by about a quarter
    "B03": _COAL,  # gas from coal
    "B04": _GAS,
    "B05": _COAL,
    "B06": _OIL,
    "B07": _OIL,  # oil shale
    "B08": _COAL,  # peat
    "B09": 38.0,  # geothermal
    "B11": _HYDRO,  # run of river
    "B12": _HYDRO,  # reservoir
    "B13": 17.0,  # marine
    "B14": 12.0,  # nuclear
    "B16": 48.0,  # solar, utility scale
    "B18": 12.0,  # wind, offshore
    "B19": 11.0,  # wind, onshore
}
"""ENTSO-E's production types to gCO2e/kWh. Not in it, so not in the mean: B10 pumped storage (what
filled it is counted already), B15 other renewable, B17 waste, B20 other, B25 batteries."""

STORAGE: Final = frozenset({"B10", "B25"})
"""Gives back what was generated before: neither energy nor emissions of its own."""
