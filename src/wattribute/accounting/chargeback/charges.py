"""What a bill says, made ready for splitting: one origin charge per line."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Final, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from wattribute.accounting.chargeback.engines import Span
from wattribute.accounting.chargeback.money import Currency
from wattribute.core.errors import ConfigInvalid
from wattribute.core.units import HOUR_S

if TYPE_CHECKING:
    import pyarrow as pa

EVERYWHERE: Final = "*"
"""Resource of a charge that concerns every node of the ledger (``--total``)."""


@dataclass(frozen=True, slots=True)
class Charges:
    """Origin charges of one period, in one currency."""

    table: "pa.Table"
    """Columns: ``cost`` (int64 quanta), ``first`` and ``end`` (hours since 1970 that it is for,
    [first, end)), ``resource`` (the provider's id; ``*``: all nodes; "" none), ``namespace`` (of
    the claim or service that its tags name; "" none), ``service``, ``category``, ``description``,
    ``source`` (file and line, in words)."""
    currency: Currency
    total: Decimal
    """The exact sum of the lines, before any rounding."""
    notes: tuple[str, ...] = ()
    """What the reader of the statement should know of the bill."""
    sources: tuple[tuple[str, str], ...] = field(default=())
    """Files and their SHA-256."""

    @classmethod
    def none(cls) -> Self:
        """Return a bill without lines, in no currency (XXX in ISO 4217): energy without cost."""
        import pyarrow as pa  # noqa: PLC0415 - the table's columns are the only use here

        texts = ("resource", "namespace", "service", "category", "description", "source")
        columns = dict.fromkeys(("cost", "first", "end"), pa.array([], pa.int64()))
        table = pa.table(columns | dict.fromkeys(texts, pa.array([], pa.string())))
        return cls(table, Currency("XXX"), Decimal(0))


@dataclass(frozen=True, slots=True)
class Month:
    """One calendar month in one time zone."""

    year: int
    month: int
    zone: str = "UTC"

    @classmethod
    def parse(cls, text: str, zone: str = "UTC") -> "Month":
        """``2026-10``.

        Raises:
            ConfigInvalid: it is no month, or the zone is not known.
        """
        try:
            start = datetime.strptime(text, "%Y-%m").replace(tzinfo=UTC)
        except ValueError:
            raise ConfigInvalid(f"--month {text}: not a month; write it as 2026-10") from None
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ConfigInvalid(
                f"--timezone {zone}: not known; write it as Europe/Berlin"
            ) from None
        return cls(start.year, start.month, zone)

    @property
    def text(self) -> str:
        """The month as text, as in ``2026-10``."""
        return f"{self.year:04}-{self.month:02}"

    @property
    def after(self) -> "Month":
        """The next month."""
        return Month(self.year + self.month // 12, self.month % 12 + 1, self.zone)

    @property
    def before(self) -> "Month":
        """The month before."""
        return Month(self.year - (self.month == 1), (self.month - 2) % 12 + 1, self.zone)

    @property
    def span(self) -> Span:
        """Its hours; 745 or 743 where clocks are changed. Zones off the full hour round down."""
        return Span(self._first_hour(), self.after._first_hour())  # noqa: SLF001 - of the same class

    def _first_hour(self) -> int:
        start = datetime(self.year, self.month, 1, tzinfo=ZoneInfo(self.zone))
        return int(start.timestamp()) // HOUR_S


def hour_text(hour: int) -> str:
    """Format an hour since 1970, as in ``2026-10-01T00:00Z``."""
    return f"{datetime.fromtimestamp(hour * HOUR_S, UTC):%Y-%m-%dT%H:%MZ}"
