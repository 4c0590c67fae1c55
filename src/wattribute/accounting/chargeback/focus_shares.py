"""Who has which share of each line of a bill, with its energy and grams: FOCUS' parts."""

from collections.abc import Iterator
from decimal import Decimal
from itertools import groupby
from typing import Any, Final, assert_never

import narwhals as nw
import pyarrow as pa

from wattribute.accounting.chargeback.accounts import NOT_COVERED, UNOWNED_NAME
from wattribute.accounting.chargeback.build import Opened
from wattribute.accounting.chargeback.methods import Method
from wattribute.accounting.chargeback.split import parts_of
from wattribute.accounting.chargeback.statement import confidence_of
from wattribute.accounting.chargeback.usage import IDLE, UNATTRIBUTED
from wattribute.accounting.focus.split import ChargeShare
from wattribute.accounting.settings import AccountingSettings
from wattribute.core.units import MICROGRAMS_PER_GRAM, MICROJOULES_PER_KWH

_REMAINDER: Final = frozenset({IDLE, UNATTRIBUTED, NOT_COVERED})
"""What nobody took is one part, without a resource."""
_BY: Final = ["place", "hour"]
_WORDS: Final = {"measured": "exact", "integrated": "exact"}
Shared = dict[str, Any]


class Shares:
    """The parts of each line, asked for in rising order of lines."""

    def __init__(self, month: Opened, method: Method, settings: AccountingSettings) -> None:
        """Split every line, and find the energy that belongs to it."""
        self.method_id = method.id
        self._by = month.accounts.by
        self._names = {account.number: account.name for account in month.accounts}
        self._remainder = _REMAINDER
        match method.floor.unpaid:
            case "platform":
                self._names[IDLE] = settings.bills.platform_owner
                self._remainder = _REMAINDER - {IDLE}
            case "idle" | "row":
                pass
            case _:
                assert_never(method.floor.unpaid)
        self._by_energy = method.by_energy
        self._provenance = month.rates.provenance if month.rates else ()
        self._table = _table(month, method)
        self._groups = groupby(self._shared(), key=lambda row: int(row["line"]))
        self._next: tuple[int, list[Shared]] | None = self._following()

    def of_line(self, line: int) -> list[ChargeShare]:
        """The parts of a line; none: it belongs to no node, or to no hour of the ledger."""
        while self._next and self._next[0] < line:
            self._next = self._following()
        if self._next is None or self._next[0] != line:
            return []
        rows = self._next[1]
        if all(row["account"] == NOT_COVERED for row in rows):
            return []
        named: dict[str, list[Shared]] = {}
        for row in rows:
            whose = "" if row["account"] in self._remainder else self._names[row["account"]]
            named.setdefault(whose, []).append(row)
        return [self._part(name, named[name]) for name in sorted(named, key=lambda n: (not n, n))]

    def _following(self) -> tuple[int, list[Shared]] | None:
        found = next(self._groups, None)
        return (found[0], list(found[1])) if found else None

    def _shared(self) -> Iterator[Shared]:
        for batch in self._table.to_batches(max_chunksize=65_536):
            yield from batch.to_pylist()

    def _part(self, name: str, rows: list[Shared]) -> ChargeShare:
        sums = {
            column: sum(row[column] or 0 for row in rows)
            for column in ("weight", "uj", "idle_uj", "measured_uj", "integrated_uj", "ug")
        }
        kwh = _decimal(sums["uj"] / MICROJOULES_PER_KWH)
        zones = {row["zone"] for row in rows if row["zone"] is not None}
        energy: dict[str, str] = {}
        if any(row["uj"] is not None for row in rows):  # volumes and load balancers have none
            energy["x_EnergyKwh"] = f"{kwh:f}"
            energy["x_EnergyIdleKwh"] = f"{_decimal(sums['idle_uj'] / MICROJOULES_PER_KWH):f}"
        return ChargeShare(
            resource_id=f"{self._by}/{name}" if name else "",
            weight=sums["weight"],
            name=name,
            tags=self._tags(name),
            custom={
                "x_SplitConfidence": self._confidence(name, sums),
                **energy,
                **(self._carbon(sums["ug"], zones) if zones else {}),
            },
            usage=("Kilowatt-Hours", kwh) if self._by_energy and energy else None,
        )

    def _tags(self, name: str) -> dict[str, str]:
        if not name or name.startswith("(") or name == UNOWNED_NAME:
            return {}
        return {self._by.rpartition(":")[2]: name}

    def _confidence(self, name: str, sums: dict[str, int]) -> str:
        if not name:
            return "unattributable"
        if not self._by_energy:
            return "exact"  # reservations and use are counted, not estimated
        word = confidence_of(
            round(sums["uj"] - sums["idle_uj"]),
            round(sums["measured_uj"]),
            round(sums["integrated_uj"]),
        )
        return _WORDS.get(word, word)

    def _carbon(self, micrograms: float, zones: set[int]) -> dict[str, str]:
        told = [self._provenance[zone] for zone in sorted(zones)]
        one = told[0]
        return {
            "x_CarbonOperationalGrams": f"{_decimal(micrograms / MICROGRAMS_PER_GRAM):f}",
            "x_CarbonBasis": one.basis,
            "x_CarbonSource": ", ".join(
                dict.fromkeys(f"{who.source}{' (stale)' if who.stale else ''}" for who in told)
            ),
            "x_CarbonYear": ", ".join(dict.fromkeys(who.year for who in told)),
            **({"x_Pue": f"{one.pue:g}"} if len({who.pue for who in told}) == 1 else {}),
        }


def _table(month: Opened, method: Method) -> pa.Table:
    """By line and account: weight of the split; energy, grams and their zone. Sorted by line."""
    engine = month.engine
    frames = []
    for parts in parts_of(engine, month.period, month.placed, method, month.tariff):
        # A method of two parts weighs each part anew: there the money itself is the weight.
        weight = nw.col("weight") if len(method.parts) == 1 else nw.col("part").abs()
        frames.append(parts.select("line", "account", weight=weight.cast(nw.Int64)))
    tables = [engine.collect(frame) for frame in frames]
    if not tables:
        return pa.table({"line": pa.array([], pa.int64())})
    weights = pa.concat_tables(tables).group_by(["line", "account"]).aggregate([("weight", "sum")])
    weights = weights.rename_columns(["line", "account", "weight"])
    energies = engine.collect(_energies(month, method))
    joined = weights.join(energies, keys=["line", "account"], join_type="left outer")
    return joined.sort_by([("line", "ascending"), ("account", "ascending")])


def _energies(month: Opened, method: Method) -> nw.LazyFrame[Any]:
    """Energy of each line and account.

    A node's energy in an hour is spread over its charges for that hour in proportion to their cost,
    so that each kWh is in the file once; refunds hold none.
    """
    engine, period = month.engine, month.period
    nodes = len(period.facts)
    hours = engine.frame(month.placed.hours).filter(
        (nw.col("hour_cost") > 0) & (nw.col("place") < nodes)
    )
    charged = hours.group_by(*_BY).agg(nw.col("hour_cost").sum().cast(nw.Int64).alias("_all"))
    paid = nw.col(f"paid_{method.policy}")
    rows = period.rows.filter(nw.col("place") < nodes).select(
        *_BY,
        "account",
        (nw.col("dynamic_uj") + paid).alias("uj"),
        paid.alias("idle_uj"),
        "measured_uj",
        "integrated_uj",
    )
    joined = hours.join(charged, on=_BY, how="inner").join(rows, on=_BY, how="inner")
    part = nw.col("hour_cost").cast(nw.Float64) / nw.col("_all").cast(nw.Float64)
    columns = ("uj", "idle_uj", "measured_uj", "integrated_uj")
    joined = joined.with_columns((nw.col(name) * part).alias(name) for name in columns)
    joined = _with_grams(month, joined)
    return joined.group_by("line", "account").agg(
        *(nw.col(name).sum() for name in (*columns, "ug")), nw.col("zone").max()
    )


def _with_grams(month: Opened, joined: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Micrograms (0 where no rate is known) and the row of their provenance."""
    engine = month.engine
    rates = month.rates
    zone_of = rates.zone_of if rates else ()
    known = [(place, zone) for place, zone in enumerate(zone_of) if zone >= 0]
    zones = engine.frame(
        pa.table(
            {
                "place": pa.array([place for place, _ in known], pa.int64()),
                "zone": pa.array([zone for _, zone in known], pa.int64()),
            }
        )
    )
    empty = {name: pa.array([], pa.int64()) for name in ("zone", "hour", "ug_per_kwh")}
    table = engine.frame(rates.table if rates else pa.table(empty))
    found = joined.join(zones, on="place", how="left").join(table, on=["zone", "hour"], how="left")
    rate = nw.col("ug_per_kwh").fill_null(0).cast(nw.Float64)
    return found.with_columns((nw.col("uj") * rate / float(MICROJOULES_PER_KWH)).alias("ug"))


def _decimal(number: float) -> Decimal:
    return Decimal(f"{number:.9f}")
