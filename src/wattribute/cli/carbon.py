"""``wattribute carbon``: the carbon intensity of electricity by place and time."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import click
import msgspec

from wattribute.cli.extras import needs
from wattribute.cli.options import with_settings
from wattribute.cli.terminal import TerminalColumn, print_table
from wattribute.core.errors import ConfigInvalid
from wattribute.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wattribute.accounting.carbon import Intensity

_COLUMNS: Final = (
    TerminalColumn("FROM (UTC)"),
    TerminalColumn("g/kWh", right=True),
    TerminalColumn("BASIS"),
    TerminalColumn("SOURCE"),
    TerminalColumn("YEAR", right=True),
    TerminalColumn("NOTES"),
)


@click.group()
def carbon() -> None:
    """Show how much CO2e a kilowatt-hour of electricity emits, by place and time."""


@carbon.command()
@click.option("--zone", "place", metavar="PLACE", help="Country, grid zone or cloud region.")
@click.option("--from", "first", metavar="DAY", help="First day (UTC) of past hours to show.")
@click.option(
    "--to", "last", metavar="DAY", help="Day after the last day to show  [default: one day]"
)
@click.option(
    "--forecast",
    type=click.IntRange(1, 72),
    metavar="HOURS",
    help="Show a forecast for this many hours from now.",
)
@click.option(
    "--basis",
    type=click.Choice(["location", "market", "marginal"]),
    help="Kind of carbon intensity  [default: carbon.basis]",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_settings()
def show(
    *,
    settings: Settings,
    place: str | None,
    first: str | None,
    last: str | None,
    forecast: int | None,
    basis: str | None,
    as_json: bool,
) -> int:
    r"""Show carbon intensities, with their basis, source and year.

    \b
    wattribute carbon show --zone DE
    wattribute carbon show --zone aws/eu-central-1 --from 2026-10-01 --to 2026-10-02
    wattribute carbon show --zone GB --forecast 24

    The default source is the shipped yearly table; carbon.sources names live sources.
    """
    from wattribute.accounting.carbon import Basis, open_grid

    place = place or settings.accounting.carbon.location
    if not place:
        raise ConfigInvalid(
            "carbon: no place given. Pass --zone: DE, aws/eu-central-1 or US-NW-BPAT."
        )
    if forecast and first:
        raise ConfigInvalid("carbon: give either --forecast or --from, not both")
    with needs("chargeback"):  # live sources; the shipped table needs nothing
        grid = open_grid(settings.accounting, Basis(basis) if basis else None)
    if forecast:
        values = grid.forecast(place, forecast)
    elif first:
        start, end = _days(first, last)
        values = grid.hourly(place, start, end)
    else:
        values = [grid.latest(place)]
    pue = grid.facility.pue(place, values[0].start.year)
    if as_json:
        body = {
            "place": place,
            "pue": {"value": pue.value, "source": pue.source, "year": pue.year},
            "intensity": [msgspec.to_builtins(value) for value in values],
        }
        click.echo(msgspec.json.format(msgspec.json.encode(body)).decode())
        return 0
    print_table(_COLUMNS, [_row(value) for value in _runs(values)])
    year = f" {pue.year}" if pue.year else ""
    click.echo(f"PUE {pue.value:g} ({pue.source}{year})")
    return 0


def _days(first: str, last: str | None) -> tuple[datetime, datetime]:
    try:
        start = datetime.strptime(first, "%Y-%m-%d").replace(tzinfo=UTC)
        day_after = datetime.strptime(last, "%Y-%m-%d").replace(tzinfo=UTC) if last else None
    except ValueError:
        raise ConfigInvalid(
            f"carbon: --from {first} --to {last}: days are written 2026-10-01"
        ) from None
    end = day_after or start + timedelta(days=1)
    if end <= start:
        raise ConfigInvalid(f"carbon: --to {last} is not after --from {first}")
    return start, end


def _runs(values: "Sequence[Intensity]") -> "list[Intensity]":
    """The values without those that only repeat the one before."""
    kept: list[Intensity] = []
    for value in values:
        if not kept or _word(value) != _word(kept[-1]):
            kept.append(value)
    return kept


def _word(value: "Intensity") -> tuple[object, ...]:
    return value.g_per_kwh, value.source, value.year, value.estimated, value.stale


def _row(value: "Intensity") -> list[str]:
    notes = [name for name in ("estimated", "stale", "forecast") if getattr(value, name)]
    return [
        f"{value.start:%Y-%m-%d %H:%M}",
        f"{value.g_per_kwh:.1f}",
        value.basis.value,
        value.source,
        str(value.year),
        ", ".join(notes),
    ]
