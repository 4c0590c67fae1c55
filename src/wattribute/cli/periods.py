"""Periods on the command line: days, hours and months, in UTC."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import click

from wattribute.core.units import HOUR_S

_MONTH: Final = re.compile(r"(\d{4})-(\d{2})")


def instant(_ctx: click.Context, param: click.Parameter, value: str | None) -> int | None:
    """A full hour, ``2026-10-01`` or ``2026-10-01T07:00`` (UTC), as Unix seconds; for click.

    Raises:
        click.BadParameter: it is not written so, or is not a full hour.
    """
    if value is None:
        return None
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        raise click.BadParameter(
            f"{value!r} is no day or hour; write 2026-10-01 or 2026-10-01T07:00", param=param
        ) from None
    at_s = int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp())
    if at_s % HOUR_S:
        raise click.BadParameter(f"{value!r} is not a full hour in UTC", param=param)
    return at_s


def with_bounds(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options ``--from`` and ``--to``, as ``from_s`` and ``to_s``."""
    first = click.option(
        "--from",
        "from_s",
        callback=instant,
        metavar="DAY|HOUR",
        help="First hour of the period (UTC).",
    )
    end = click.option(
        "--to",
        "to_s",
        callback=instant,
        metavar="DAY|HOUR",
        help="End of the period (UTC), not included.",
    )
    return first(end(command))


def month_of(text: str) -> tuple[int, int]:
    """The first second of a month (``2026-10``) and of the one after it, UTC.

    Raises:
        click.BadParameter: it is not written so.
    """
    found = _MONTH.fullmatch(text)
    if not found or not 1 <= int(found[2]) <= 12:
        raise click.BadParameter(f"{text!r} is no month; write 2026-10", param_hint="--month")
    first = datetime(int(found[1]), int(found[2]), 1, tzinfo=UTC)
    after = (first + timedelta(days=32)).replace(day=1)
    return int(first.timestamp()), int(after.timestamp())


def period(
    month: str | None, from_s: int | None, to_s: int | None
) -> tuple[int | None, int | None]:
    """What ``--month`` or ``--from`` and ``--to`` mean together.

    Raises:
        click.UsageError: both, or an end that is not after the start.
    """
    if month is not None:
        if from_s is not None or to_s is not None:
            raise click.UsageError("--month goes without --from and --to")
        return month_of(month)
    if from_s is not None and to_s is not None and to_s <= from_s:
        raise click.UsageError("--to must be after --from")
    return from_s, to_s


def shown(at_s: float) -> str:
    """An instant for people: ``2026-10-01 07:00``, UTC."""
    return f"{datetime.fromtimestamp(at_s, UTC):%Y-%m-%d %H:%M}"
