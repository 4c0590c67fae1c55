"""Whether one value has the format of its column."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Final

from wattribute.accounting.focus.columns import FocusColumn

_DECIMAL: Final = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?")
_INSTANT: Final = re.compile(
    r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:[0-5]\dZ"
)
_CUSTOM: Final = re.compile(r"x_[A-Z][A-Za-z0-9]*")
_LONGEST: Final = 50
_UNIT: Final = re.compile(r"(\d+ )?[A-Z][A-Za-z0-9]*([-/ ][A-Za-z0-9]+)*")
_CURRENCIES: Final = frozenset(
    (  # noqa: SIM905 - a list of 150 lines is harder to read
        "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP "
        "BYN BZD CAD CDF CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP "
        "GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES "
        "KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU "
        "MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON "
        "RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND "
        "TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VED VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR "
        "ZMW ZWG"
    ).split()
)
"""ISO 4217: the currencies of countries."""


def custom_name_problem(name: str) -> str:
    """What is wrong with the name of a column of one's own; "" nothing."""
    if not _CUSTOM.fullmatch(name):
        return "is no column of FOCUS; one's own are named x_ and PascalCase (x_CostCenter)"
    if len(name) > _LONGEST:
        return f"has {len(name)} characters; {_LONGEST} are allowed"
    return ""


def problem(column: FocusColumn, text: str) -> str:
    """What is wrong with a value that is not null; "" nothing."""
    return _CHECKS[column.format](column, text)


def method_details(text: str) -> list[float]:
    """The ratios in a value of AllocatedMethodDetails.

    Raises:
        ValueError: it does not have the object's shape; says what is wrong.
    """
    parsed = _json(text)
    if not isinstance(parsed, dict):
        raise ValueError("is not a JSON object")  # noqa: TRY004 - the value's, not the caller's
    unknown = [key for key in parsed if key != "Elements" and not _CUSTOM.fullmatch(key)]
    elements = parsed.get("Elements")
    if unknown or not isinstance(elements, list) or not elements:
        raise ValueError("has not the one key Elements, a list of at least one object")
    return [_ratio(element) for element in elements]


def _ratio(element: object) -> float:
    if not isinstance(element, dict):
        raise ValueError("has an element that is no object")  # noqa: TRY004
    standard_keys = {"AllocatedRatio", "UsageUnit", "UsageQuantity"}
    if any(key not in standard_keys and not _CUSTOM.fullmatch(key) for key in element):
        raise ValueError("has an element with a key that is neither known nor x_")
    ratio = element.get("AllocatedRatio")
    if isinstance(ratio, bool) or not isinstance(ratio, int | float) or not 0 <= ratio <= 1:
        raise ValueError("has an element whose AllocatedRatio is no number from 0 to 1")
    quantity, unit = element.get("UsageQuantity"), element.get("UsageUnit")
    if quantity is not None and not (isinstance(quantity, int | float) and isinstance(unit, str)):
        raise ValueError("has an element with a UsageQuantity without UsageUnit, or no number")
    return float(ratio)


def key_values(text: str) -> Mapping[str, object] | None:
    """A Key-Value as a mapping; None: it is none."""
    try:
        parsed = _json(text)
    except ValueError:
        return None
    if not isinstance(parsed, dict):
        return None
    return None if any(isinstance(value, dict | list) for value in parsed.values()) else parsed


def _json(text: str) -> object:
    def refuse(word: str) -> float:
        raise ValueError(f"has {word}, which is not JSON")

    try:
        parsed: object = json.loads(text, parse_constant=refuse)
    except (json.JSONDecodeError, RecursionError):
        raise ValueError("is not JSON") from None
    return parsed


def _text(_column: FocusColumn, _value: str) -> str:
    return ""


def _decimal(_column: FocusColumn, text: str) -> str:
    return "" if _DECIMAL.fullmatch(text) else "is not a number (12.5, -3, 1.5E-7)"


def _positive(column: FocusColumn, text: str) -> str:
    return _decimal(column, text) or ("must not be negative" if text.startswith("-") else "")


def _instant(_column: FocusColumn, text: str) -> str:
    return "" if _INSTANT.fullmatch(text) else "is not a time in UTC (2026-10-01T00:00:00Z)"


def _currency(_column: FocusColumn, text: str) -> str:
    return "" if text in _CURRENCIES else "is no currency of ISO 4217"


def _words(column: FocusColumn, text: str) -> str:
    if text in column.words:
        return ""
    few = sorted(column.words) if len(column.words) < 8 else []
    return "is not one of the allowed values" + (f" ({', '.join(few)})" if few else "")


def _unit(_column: FocusColumn, text: str) -> str:
    return "" if _UNIT.fullmatch(text) else "is no unit (Hours, GB-Hours, 1000 Requests)"


def _object(column: FocusColumn, text: str) -> str:
    try:
        if column.name == "AllocatedMethodDetails":
            method_details(text)
        elif not isinstance(_json(text), dict):
            return "is not a JSON object"
    except ValueError as exc:
        return str(exc)
    return ""


def _key_value(_column: FocusColumn, text: str) -> str:
    return "" if key_values(text) is not None else "is not a JSON object of plain values"


_CHECKS: Final[Mapping[str, Callable[[FocusColumn, str], str]]] = {
    "text": _text,
    "decimal": _decimal,
    "positive": _positive,
    "instant": _instant,
    "currency": _currency,
    "words": _words,
    "unit": _unit,
    "object": _object,
    "key-value": _key_value,
}
