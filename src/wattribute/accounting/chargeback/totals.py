"""Sums by account: energy, its band and origin, reservations, grams, money."""

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Final, Self

import narwhals as nw

from wattribute.accounting.chargeback.engines import Frame, FrameEngine
from wattribute.accounting.chargeback.floor import share
from wattribute.accounting.chargeback.grams import Rates
from wattribute.accounting.chargeback.period import Period
from wattribute.accounting.chargeback.usage import IDLE
from wattribute.core.units import MICROJOULES_PER_KWH

if TYPE_CHECKING:
    from wattribute.accounting.chargeback.split import Cost

_ENERGIES: Final = (
    *("dynamic_uj", "low_uj", "high_uj", "below_uj", "above_uj", "measured_uj", "integrated_uj"),
    *("reserved_units", "unused_units"),
)


@dataclass(slots=True)
class Totals:
    """Whole numbers that add up, of one account."""

    dynamic_uj: int = 0
    idle_uj: int = 0
    """What it pays of the floor; on the idle account what nobody pays."""
    spare_uj: int = 0
    """Of it for what was reserved and not used."""
    low_uj: int = 0
    high_uj: int = 0
    """Band around ``dynamic_uj``; on the idle account around the whole floor."""
    below_uj: int = 0
    above_uj: int = 0
    """Of the band, what is of weights: what others would have instead, or would lack."""
    measured_uj: int = 0
    integrated_uj: int = 0
    """Of ``dynamic_uj``; on the idle account of the whole floor."""
    reserved_units: int = 0
    unused_units: int = 0
    carbon_ug: int = 0
    """Operational, of ``dynamic_uj`` and ``idle_uj``."""
    embodied_ug: int = 0
    cost: int = 0
    cost_idle: int = 0
    cost_spare: int = 0
    cost_energy: int = 0
    """Of ``cost``: what was split by energy, and so has the energy's band."""
    cost_shared: int = 0
    """Of ``cost``: what came from shared pools."""

    @property
    def energy_uj(self) -> int:
        """Dynamic and idle."""
        return self.dynamic_uj + self.idle_uj

    def add(self, other: Self) -> None:
        """Add another's amounts, one by one."""
        for field in fields(self):
            setattr(self, field.name, getattr(self, field.name) + getattr(other, field.name))

    def pay(self, cost: "Cost") -> None:
        """Add what the account pays of a bill."""
        self.cost += cost.cost
        self.cost_idle += cost.idle
        self.cost_spare += cost.spare
        self.cost_energy += cost.energy


def totals_by_account(
    engine: FrameEngine, period: Period, policy: str, rates: Rates | None
) -> dict[int, Totals]:
    """Sum the nodes' rows (not the namespaces', which would count energy twice).

    Args:
        engine: Who computes.
        period: The ledger.
        policy: Who pays the floor.
        rates: Carbon, or None: no grams.
    """
    rows = period.rows.filter(nw.col("place") < len(period.facts))
    columns = {
        **{name: nw.col(name) for name in _ENERGIES},
        "idle_uj": nw.col(f"paid_{policy}"),
        "spare_uj": nw.col(f"spare_{policy}"),
    }
    if rates is not None:
        rows = _with_carbon(engine, rows, policy, rates)
        columns["carbon_ug"] = nw.col("_carbon_ug")
        columns["embodied_ug"] = nw.col("_embodied_ug")
    summed = rows.with_columns(expression.alias(f"_{name}") for name, expression in columns.items())
    table = engine.collect(
        summed.group_by("account").agg(
            nw.col(f"_{name}").sum().cast(nw.Int64).alias(name) for name in columns
        )
    )
    return {
        row["account"]: Totals(**{name: row[name] for name in columns}) for row in table.to_pylist()
    }


def _with_carbon(engine: FrameEngine, rows: Frame, policy: str, rates: Rates) -> Frame:
    """Add micrograms: of the energy by the hour's intensity, of the hardware by what is reserved.

    What nobody reserved of the hardware is the idle account's (SCI: RR / ToR).
    """
    import pyarrow as pa  # noqa: PLC0415 - only to hand tables to the engine

    places = pa.array(range(len(rates.zone_of)), pa.int64())
    embodied = rates.embodied_ug_per_hour or (0,) * len(rates.zone_of)
    zones = engine.frame(
        pa.table(
            {
                "place": places,
                "zone": pa.array(rates.zone_of, pa.int64()),
                "_node_ug": pa.array(embodied, pa.int64()),
            }
        )
    )
    joined = (
        rows.join(zones, on="place", how="left")
        .join(engine.frame(rates.table), on=["zone", "hour"], how="left")
        .with_columns(
            nw.col("ug_per_kwh").fill_null(0).cast(nw.Int64),
            nw.col("_node_ug").fill_null(0).cast(nw.Int64),
        )
    )
    energy = nw.col("dynamic_uj") + nw.col(f"paid_{policy}")
    kwh = nw.lit(MICROJOULES_PER_KWH).cast(nw.Int64)
    total = nw.max_horizontal("_all_reserved", "_capacity_units")
    mine = share(nw.col("_node_ug"), nw.col("reserved_units"), total)
    rest = share(nw.col("_node_ug"), total - nw.col("_all_reserved"), total)
    unreserved = nw.when(total > 0).then(rest).otherwise(nw.col("_node_ug"))
    return joined.with_columns(
        nw.col("reserved_units").sum().over("place", "hour").cast(nw.Int64).alias("_all_reserved"),
        nw.col("capacity_units").alias("_capacity_units"),
    ).with_columns(
        share(nw.col("ug_per_kwh"), energy, kwh).alias("_carbon_ug"),
        nw.when(nw.col("account") == IDLE).then(unreserved).otherwise(mine).alias("_embodied_ug"),
    )
