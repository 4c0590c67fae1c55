"""How far predictions are off, in the words of the model card."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from msgspec import Struct


@dataclass(frozen=True, slots=True)
class ScoredRow:
    """One scored row."""

    system_id: str
    level: int
    """Load in percent, to the nearest ten."""
    measured_w: float
    predicted_w: float
    low_w: float
    high_w: float


class Score(Struct, frozen=True):
    """Figures of some rows; percentages are of the measured watts."""

    rows: int
    systems: int
    median_ape_pct: float
    mape_pct: float
    p90_ape_pct: float
    bias_pct: float
    """Median of (predicted - measured) / measured."""
    r2: float | None
    """None where the measured watts do not differ."""
    band_covers_pct: float
    """Rows whose measured watts lie in the 90 % band."""


def score_of(points: Sequence[ScoredRow]) -> Score:
    """Score one or more points."""
    measured = np.array([point.measured_w for point in points])
    predicted = np.array([point.predicted_w for point in points])
    relative = (predicted - measured) / measured * 100
    off = np.abs(relative)
    spread = float(((measured - measured.mean()) ** 2).sum())
    inside = [point.low_w <= point.measured_w <= point.high_w for point in points]
    return Score(
        rows=len(points),
        systems=len({point.system_id for point in points}),
        median_ape_pct=_two(np.median(off)),
        mape_pct=_two(off.mean()),
        p90_ape_pct=_two(np.quantile(off, 0.9)),
        bias_pct=_two(np.median(relative)),
        r2=_two(1 - float(((predicted - measured) ** 2).sum()) / spread, 3) if spread else None,
        band_covers_pct=_two(np.mean(inside) * 100),
    )


def _two(value: float | np.floating, digits: int = 2) -> float:
    return round(float(value), digits)
