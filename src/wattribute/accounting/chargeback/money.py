"""Money in whole numbers: a currency's unit is 10^9 quanta, or fewer where amounts are huge."""

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

_NO_CENTS: Final = frozenset(
    {"BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND"}
    | {"VUV", "XAF", "XOF", "XPF"}
)
_THREE: Final = frozenset({"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"})
"""ISO 4217: currencies whose minor unit is not a hundredth."""

MOST_QUANTA: Final = 4 * 10**18
"""Sums of absolute amounts stay under this, so that they fit in 64 bits with room to spare."""


@dataclass(frozen=True, slots=True)
class Currency:
    """A currency, and how finely it is counted here."""

    code: str
    digits: int = 9
    """Decimal places of a quantum."""

    @property
    def per_unit(self) -> int:
        """Quanta in one unit (dollar, euro, yen)."""
        return int(10**self.digits)

    @property
    def places(self) -> int:
        """Decimal places that the currency is paid in: 2 for most, 0 for yen."""
        return 0 if self.code in _NO_CENTS else 3 if self.code in _THREE else 2

    @property
    def per_cent(self) -> int:
        """Quanta in the smallest amount that is paid."""
        return int(10 ** (self.digits - self.places))

    def quanta(self, amount: Decimal) -> int:
        """An amount in quanta, rounded to the nearest."""
        return int((amount * self.per_unit).to_integral_value(ROUND_HALF_EVEN))

    def amount(self, quanta: int) -> Decimal:
        """Quanta as an exact decimal amount."""
        return Decimal(quanta).scaleb(-self.digits)

    def cents(self, amount: Decimal) -> int:
        """An amount in whole cents, rounded half to even."""
        return int(amount.scaleb(self.places).to_integral_value(ROUND_HALF_EVEN))

    def of_cents(self, cents: int) -> Decimal:
        """Cents as an amount with the currency's decimal places."""
        return Decimal(cents).scaleb(-self.places)


def digits_for(largest_sum: Decimal) -> int:
    """How many decimal places can be counted when absolute amounts sum up to this."""
    digits = 9
    while digits > 3 and largest_sum.scaleb(digits) >= MOST_QUANTA:
        digits -= 1
    return digits
