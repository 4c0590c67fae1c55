"""A price list of one's own, for machines that no cloud bills.

::

    currency: EUR
    timezone: Europe/Berlin         # of the hours below; default UTC
    nodes:                          # the first that matches a node; per hour with entries
      - {instance_type: m5.*, per_hour: 0.192}
      - {node: "gpu-*", per_hour: 4.10}
    energy:                         # the first that matches an hour
      - {hours: 22-6, per_kwh: 0.21}
      - {days: [sat, sun], per_kwh: 0.21}
      - {per_kwh: 0.31}
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pyarrow as pa

from wattribute.accounting.chargeback.charges import Charges
from wattribute.accounting.chargeback.engines import Span
from wattribute.accounting.chargeback.grams import CarbonFacts
from wattribute.accounting.chargeback.money import Currency
from wattribute.core.errors import ConfigInvalid
from wattribute.core.settings.yaml import parse
from wattribute.core.units import HOUR_S, MICROJOULES_PER_KWH

_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_HOURS: Final = re.compile(r"(\d{1,2})-(\d{1,2})")
_PATTERNS: Final = ("node", "cluster", "instance_type", "region")
_Price = TypeVar("_Price")
_MOST: Final = Decimal(10) ** 6
"""For an hour or a kWh, of any currency: sums of a fleet's month stay within 64 bits."""


@dataclass(frozen=True, slots=True)
class NodePrice:
    """What an hour of a machine costs."""

    patterns: tuple[tuple[str, str], ...]
    per_hour: Decimal

    def matches(self, node: CarbonFacts) -> bool:
        """All patterns match; none matches every node."""
        return all(fnmatchcase(getattr(node, name), glob) for name, glob in self.patterns)


@dataclass(frozen=True, slots=True)
class EnergyPrice:
    """What a kWh costs at some hours."""

    days: frozenset[int]
    first_hour: int
    end_hour: int
    per_kwh: Decimal

    def matches(self, at: datetime) -> bool:
        """Whether it holds at a local time. 22-6 goes over midnight, each hour by its own day."""
        if at.weekday() not in self.days:
            return False
        if self.first_hour <= self.end_hour:
            return self.first_hour <= at.hour < self.end_hour
        return at.hour >= self.first_hour or at.hour < self.end_hour


@dataclass(frozen=True, slots=True)
class Prices:
    """One price list."""

    currency: Currency
    zone: ZoneInfo
    nodes: tuple[NodePrice, ...]
    energy: tuple[EnergyPrice, ...]
    source: str

    def tariff(self, span: Span) -> pa.Table:
        """``hour`` and ``per_kwh`` (quanta) of every hour; 0 where no price matches."""
        hours = range(span.first, span.end)
        prices = [self.currency.quanta(self._per_kwh(hour) or Decimal(0)) for hour in hours]
        return pa.table(
            {"hour": pa.array(hours, pa.int64()), "per_kwh": pa.array(prices, pa.int64())}
        )

    def _per_kwh(self, hour: int) -> Decimal | None:
        """The price of an hour; None where the list has none."""
        at = datetime.fromtimestamp(hour * HOUR_S, self.zone)
        return next((price.per_kwh for price in self.energy if price.matches(at)), None)

    def charges(self, nodes: Sequence[CarbonFacts], energy: pa.Table, span: Span) -> Charges:
        """A charge per node and hour for the machine, and one for its electricity.

        Args:
            nodes: The ledger's, in the order of their numbers.
            energy: ``place``, ``hour``, ``uj``: each node's energy, floor included.
            span: The period.

        Raises:
            ConfigInvalid: a node has no price, where machines are priced.
        """
        per_hour = [self._per_hour(node) for node in nodes]
        per_kwh = dict(
            zip(*(column.to_pylist() for column in self.tariff(span).columns), strict=True)
        )
        unpriced = {hour for hour in per_kwh if self._per_kwh(hour) is None}
        rows: list[tuple[int, int, str, str, str]] = []
        free_uj = 0
        for place, hour, uj in zip(*(column.to_pylist() for column in energy.columns), strict=True):
            node = nodes[place]
            name = node.provider_id or node.node
            if self.nodes:
                rows.append((per_hour[place], hour, name, "machine", f"an hour of {node.node}"))
            if self.energy:
                cost = uj * per_kwh[hour] // MICROJOULES_PER_KWH
                rows.append((cost, hour, name, "electricity", f"{node.node}'s kWh of an hour"))
                free_uj += uj if hour in unpriced else 0
        rows.sort(key=lambda row: row[1:])
        table = pa.table(
            {
                "cost": pa.array([row[0] for row in rows], pa.int64()),
                "first": pa.array([row[1] for row in rows], pa.int64()),
                "end": pa.array([row[1] + 1 for row in rows], pa.int64()),
                "resource": pa.array([row[2] for row in rows], pa.string()),
                "namespace": pa.array([""] * len(rows), pa.string()),
                "service": pa.array([row[3] for row in rows], pa.string()),
                "category": pa.array(["Usage"] * len(rows), pa.string()),
                "description": pa.array([row[4] for row in rows], pa.string()),
                "source": pa.array([self.source] * len(rows), pa.string()),
            }
        )
        total = sum(row[0] for row in rows)
        return Charges(table, self.currency, self.currency.amount(total), self._notes(free_uj))

    def _notes(self, free_uj: int) -> tuple[str, ...]:
        if not free_uj:
            return ()
        note = (
            f"{self.source}: no energy price holds in the hours of "
            f"{free_uj / MICROJOULES_PER_KWH:,.2f} kWh; they cost nothing here. A last price "
            "without hours and days holds in all that are left"
        )
        return (note,)

    def _per_hour(self, node: CarbonFacts) -> int:
        found = next((price for price in self.nodes if price.matches(node)), None)
        if found is None and self.nodes:
            raise ConfigInvalid(
                f"{self.source}: no price for node {node.node!r} (instance type "
                f"{node.instance_type!r}); add one, the last without a pattern matches all"
            )
        return self.currency.quanta(found.per_hour) if found else 0


def read_prices(path: Path) -> Prices:
    """Read a price list.

    Raises:
        ConfigInvalid: it cannot be read, or says something that is not known.
    """
    try:
        document = parse(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigInvalid(f"{path}: cannot read the price list: {exc}") from exc
    allowed = {"currency", "timezone", "nodes", "energy"}
    if unknown := [str(key) for key in document if key not in allowed]:
        raise ConfigInvalid(f"{path}: {unknown[0]}: unknown key; known are {', '.join(allowed)}")
    zone_name = str(document.get("timezone") or "UTC")
    try:
        zone = ZoneInfo(zone_name)
    except (ZoneInfoNotFoundError, ValueError):
        raise ConfigInvalid(f"{path}: timezone: {zone_name!r} is not known") from None
    code = str(document.get("currency") or "")
    if not re.fullmatch(r"[A-Z]{3}", code):
        raise ConfigInvalid(f"{path}: currency: {code!r}; write it as EUR")
    prices = Prices(
        Currency(code),
        zone,
        tuple(_each(path, document, "nodes", _node_price)),
        tuple(_each(path, document, "energy", _energy_price)),
        path.name,
    )
    if not prices.nodes and not prices.energy:
        raise ConfigInvalid(f"{path}: has neither nodes nor energy, so no prices")
    return prices


def _each(
    path: Path,
    document: Mapping[object, object],
    key: str,
    make: Callable[[str, Mapping[str, object]], _Price],
) -> list[_Price]:
    listed = document.get(key) or []
    if not isinstance(listed, list) or not all(isinstance(item, dict) for item in listed):
        raise ConfigInvalid(f"{path}: {key}: not a list of prices")
    return [make(f"{path}: {key}[{at}]", item) for at, item in enumerate(listed)]


def _node_price(where: str, item: Mapping[str, object]) -> NodePrice:
    _known(where, item, (*_PATTERNS, "per_hour"))
    patterns = tuple((name, str(item[name])) for name in _PATTERNS if name in item)
    return NodePrice(patterns, _amount(where, item, "per_hour"))


def _energy_price(where: str, item: Mapping[str, object]) -> EnergyPrice:
    _known(where, item, ("days", "hours", "per_kwh"))
    named = item.get("days", list(_DAYS))
    if not isinstance(named, list) or any(day not in _DAYS for day in named):
        raise ConfigInvalid(f"{where}: days: a list of {', '.join(_DAYS)}")
    match = _HOURS.fullmatch(str(item.get("hours", "0-24")))
    if match is None or int(match[1]) > 23 or int(match[2]) > 24 or int(match[1]) == int(match[2]):
        raise ConfigInvalid(f"{where}: hours: write them as 8-20 or 22-6")
    days = frozenset(_DAYS.index(day) for day in named)
    return EnergyPrice(days, int(match[1]), int(match[2]), _amount(where, item, "per_kwh"))


def _known(where: str, item: Mapping[str, object], allowed: Sequence[str]) -> None:
    if unknown := [key for key in item if key not in allowed]:
        raise ConfigInvalid(f"{where}: {unknown[0]}: unknown; known are {', '.join(allowed)}")


def _amount(where: str, item: Mapping[str, object], key: str) -> Decimal:
    try:
        return price_in(str(item[key]))
    except (KeyError, ValueError):
        raise ConfigInvalid(f"{where}: needs {key}, a number under a million") from None


def price_in(text: str) -> Decimal:
    """A price for an hour or a kWh, as it was written.

    Raises:
        ValueError: it is no number, or not under a million either way.
    """
    try:
        price = Decimal(text)
    except InvalidOperation:
        price = Decimal("NaN")
    if not price.is_finite() or abs(price) >= _MOST:
        raise ValueError(text)
    return price
