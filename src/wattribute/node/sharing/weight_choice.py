"""By what a zone's energy is shared: the setting, and what the machine can tell."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, Literal

from wattribute.core.records import Zone
from wattribute.node.attribution.learned.report import METHOD

WeightSetting = Literal["auto", "time", "cycles", "learned", "shadow"]

TIME: Final = "time"
CYCLES: Final = "cycles"
MISSES: Final = "misses"
INSIDE_PACKAGE: Final = ("core", "uncore")
"""Kinds of zones that a package's meter counts as well."""


@dataclass(frozen=True, slots=True)
class WeightChoice:
    """By what the energy of a zone is shared."""

    shared_by: str
    """``time``, ``cycles``, ``misses`` or ``learned-1``."""
    reason: str
    """Why, in a few words for people."""
    learns: bool = False
    """Whether weights are learned for the zone, be they used or not."""

    @property
    def rival(self) -> str:
        """The weight that is not used, for those who compare; "" for none."""
        if self.learns and not self.learned:
            return "learned"
        return "" if self.shared_by == TIME else TIME

    @property
    def learned(self) -> bool:
        """Whether learned weights are used."""
        return self.shared_by == METHOD


def obstacle(zone: Zone, *, estimated: bool, measured: Collection[Zone]) -> str:
    """Return why no weights can be learned for a zone, in a few words; "" if they can.

    Where one platform meter is the only meter, its learner speaks for the components too: they are
    estimates, which know nothing of who ran.

    Args:
        zone: any but a GPU.
        estimated: its energy is a model's.
        measured: the zones that meters read.
    """
    has_packages = any(metered.kind == "package" for metered in measured)
    platforms = sum(metered.kind == "platform" for metered in measured)
    if zone.kind == "platform" and has_packages:
        return "its parts have meters of their own"
    if zone.kind == "platform" and platforms > 1:
        return "each of several platform meters knows a part of the machine only"
    if zone.kind in INSIDE_PACKAGE and not has_packages:
        return "its package has no meter"
    if estimated and (has_packages or platforms != 1):
        return "the energy is estimated from CPU time"
    return ""


def choose_weight(
    setting: WeightSetting, kind: str, *, obstacle: str, counted: frozenset[str]
) -> WeightChoice:
    """Choose for one zone.

    Cycles go before learned weights where hardware counts them: they are known at once and for
    every process, while weights need minutes and loads that vary.

    Args:
        setting: ``attribution.weight``.
        kind: of the zone, as Zone.kind.
        obstacle: why no weights can be learned for the zone, in a few words; "": they can.
        counted: names of what the hardware counts, as in CpuUse.counters.
    """
    counter = MISSES if kind == "dram" else CYCLES
    is_counted = ("cache_misses" if kind == "dram" else "cycles") in counted
    if setting == "time":
        return WeightChoice(TIME, "attribution.weight is time")
    if is_counted and setting in {"auto", "cycles"}:
        return WeightChoice(counter, f"the hardware counts {counter}")
    if setting == "cycles":
        return WeightChoice(TIME, f"the hardware does not count {counter}")
    base = counter if is_counted else TIME
    if obstacle:
        return WeightChoice(base, obstacle)
    if setting == "shadow":
        why = "attribution.weight is shadow: learned weights are only shown"
        return WeightChoice(base, why, learns=True)
    why = "asked for" if setting == "learned" else f"{counter} are not counted"
    return WeightChoice(METHOD, f"{why}, and a meter teaches them", learns=True)
