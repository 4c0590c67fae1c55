"""Energy as other weights would share it: the ledger's columns beside ``energy_uj``.

A method by another weight takes its energy where entries are read. All that follows (the floor's
policies, money, bands, grams, explanations) is then of that energy, and adds up as it always does.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

import narwhals as nw

from wattribute.accounting.chargeback.engines import Frame, FrameEngine
from wattribute.accounting.ledger.schema import LATER

EnergyColumn = Literal["energy_uj", "time_uj", "learned_uj"]
AS_SHARED: Final[EnergyColumn] = "energy_uj"
"""Energy by the weight that the agent used."""
OTHER_WEIGHTS: Final[tuple[EnergyColumn, ...]] = ("time_uj", "learned_uj")
LEARNED_PREFIX: Final = "learned"
"""How the names of the methods begin that share by learned weights."""


@dataclass(frozen=True, slots=True)
class WeightsInUse:
    """By what the energy of a period was shared, and what the ledger knows besides."""

    names: tuple[str, ...]
    """As in the ledger's ``shared_by``, without ""."""
    other_energies: frozenset[str]
    """Those of ``OTHER_WEIGHTS`` that differ from the energy anywhere."""


def completed(entries: Frame, columns: Iterable[str]) -> Frame:
    """Give entries what stands for the columns that files of older versions lack."""
    stand_ins = {
        name: nw.coalesce(nw.col(name), nw.col(LATER[name]) if LATER[name] else nw.lit(""))
        for name in columns
        if name in LATER
    }
    return entries.with_columns(**stand_ins) if stand_ins else entries


def shared_as(entries: Frame, column: EnergyColumn) -> Frame:
    """Take energy by another weight for the energy, with the band that is left then.

    The band of learned weights is not one of sharing by CPU time, which says nothing of how far it
    may be off. That of an estimate moves along: it is of the node's power.
    """
    if column == AS_SHARED:
        return entries
    energy = nw.col(column)
    moved = energy - nw.col("energy_uj")
    has_band = nw.col("origin") == "estimated"
    if column == "learned_uj":  # where learned weights are used, the energy and its band are theirs
        has_band = has_band | (moved == 0)
    ends = {
        end: nw.when(has_band).then(nw.col(end) + moved).otherwise(energy).cast(nw.Int64)
        for end in ("low_uj", "high_uj")
    }
    return entries.with_columns(energy.alias("energy_uj"), **ends)


def weights_in_use(engine: FrameEngine, entries: Frame) -> WeightsInUse:
    """Return by what entries were shared; they have all columns of ``LATER``."""
    differs = {
        name: nw.when(nw.col(name) == nw.col("energy_uj")).then(nw.lit(0)).otherwise(nw.lit(1))
        for name in OTHER_WEIGHTS
    }
    names = engine.collect(
        entries.with_columns(**differs)
        .group_by("shared_by")
        .agg(*(nw.col(name).max() for name in OTHER_WEIGHTS))
    ).to_pylist()
    return WeightsInUse(
        tuple(sorted(row["shared_by"] for row in names if row["shared_by"])),
        frozenset(name for name in OTHER_WEIGHTS if any(row[name] for row in names)),
    )


def shared_names(column: EnergyColumn, weights: WeightsInUse) -> tuple[str, ...]:
    """Return by what energy is shared in a statement that takes it from a column."""
    if column == AS_SHARED or not weights.names:
        return weights.names
    if column == "time_uj":
        return ("time",)
    return tuple(name for name in weights.names if name.startswith(LEARNED_PREFIX)) or ("learned",)
