"""``wattribute dev try carbon``: ask one carbon source alone, and print what it answers."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import click
import msgspec

from wattribute.accounting.backends import CARBON_SOURCES
from wattribute.cli.extras import needs
from wattribute.cli.options import with_settings
from wattribute.cli.terminal import TerminalColumn, print_table
from wattribute.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wattribute.accounting.carbon import Intensity

_COLUMNS: Final = (
    TerminalColumn("QUESTION"),
    TerminalColumn("FROM (UTC)"),
    TerminalColumn("TO (UTC)"),
    TerminalColumn("g/kWh", right=True),
    TerminalColumn("NOTES"),
)
_FORECAST_HOURS: Final = 6


class _Answer(msgspec.Struct):
    """The answer of a source to one question."""

    question: str
    values: "tuple[Intensity, ...]" = ()
    problem: str = ""
    """Why there are no values."""


@click.command()
@click.argument("name")
@click.option(
    "--zone", "zone", default="DE", show_default=True, metavar="PLACE",
    help="Country, grid zone or cloud region to ask about.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_settings()
def carbon(*, settings: Settings, name: str, zone: str, as_json: bool) -> int:
    """Ask one carbon source for the present, the last six hours and a forecast.

    Asks the source itself, without the cache and without a source in reserve. Settings come from
    the section carbon, as for the other commands. Exit code: 0; 1 if it has no value for now.
    """
    answers = _ask(settings, name, zone)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(answers)).decode())
    else:
        click.echo(f"{name}: {CARBON_SOURCES.entries[name][1]}")
        rows = [row for answer in answers for row in _rows(answer)]
        print_table(_COLUMNS, rows)
    return 0 if answers[0].values else 1


def _ask(settings: Settings, name: str, zone: str) -> list[_Answer]:
    with needs("chargeback"):  # live sources; the shipped table needs nothing
        from wattribute.accounting.carbon import Basis, find_place
        from wattribute.accounting.carbon.intensity import CarbonBackend

        backend = CARBON_SOURCES.load(name, CarbonBackend)
    place = find_place(zone)
    source = backend.open(
        settings.accounting, backend.basis or Basis(settings.accounting.carbon.basis)
    )
    now = datetime.now(UTC)
    return [
        _answer("now", lambda: (source.latest(place),)),
        _answer("last 6 hours", lambda: source.between(place, now - timedelta(hours=6), now)),
        _answer("forecast", lambda: source.forecast(place, _FORECAST_HOURS)),
    ]


def _answer(question: str, ask: "Callable[[], Sequence[Intensity]]") -> _Answer:
    from wattribute.core.errors import IntensityError

    try:
        return _Answer(question, tuple(ask()))
    except IntensityError as exc:
        return _Answer(question, problem=str(exc))


def _rows(answer: _Answer) -> list[tuple[str, str, str, str, str]]:
    if not answer.values:
        problem = answer.problem or "no values for these hours"
        return [(answer.question, "", "", "", problem)]
    return [
        (
            answer.question,
            f"{value.start:%Y-%m-%d %H:%M}",
            f"{value.end:%Y-%m-%d %H:%M}",
            f"{value.g_per_kwh:.1f}",
            "estimated" if value.estimated else "",
        )
        for value in answer.values
    ]
