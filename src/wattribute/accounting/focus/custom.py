"""Our own columns in a FOCUS file: what they hold, published beside every file that has them.

The standard leaves energy and carbon out (feature request 972 of FOCUS_Spec), so that a gram comes
with its basis, source and year in columns of their own.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class CustomColumn:
    """One column of ours."""

    name: str
    type: str
    """``STRING`` or ``DECIMAL``."""
    text: str


CUSTOM: Final = (
    CustomColumn("x_SplitOriginId", "STRING", "The charge that this row is a part of."),
    CustomColumn(
        "x_SplitOriginCost",
        "DECIMAL",
        "EffectiveCost of that charge, to which its parts sum.",
    ),
    CustomColumn(
        "x_SplitConfidence",
        "STRING",
        "exact, estimated or unattributable: how the share of this part is known.",
    ),
    CustomColumn(
        "x_EnergyKwh",
        "DECIMAL",
        "Energy of this part at the node's meter, idle share included. The energy of a node and "
        "hour is spread over the charges for them by cost, so sums are true.",
    ),
    CustomColumn("x_EnergyIdleKwh", "DECIMAL", "Of it the share of the machine's floor."),
    CustomColumn(
        "x_CarbonOperationalGrams",
        "DECIMAL",
        "gCO2e of that energy, the data centre's overhead (PUE) included.",
    ),
    CustomColumn("x_CarbonBasis", "STRING", "location, market or marginal."),
    CustomColumn("x_CarbonSource", "STRING", "Who says what a kilowatt-hour emits."),
    CustomColumn("x_CarbonYear", "STRING", "Year, or range of years, of these figures."),
    CustomColumn("x_Pue", "DECIMAL", "Power usage effectiveness that the grams contain."),
)
"""In the order in which they stand in a file."""
