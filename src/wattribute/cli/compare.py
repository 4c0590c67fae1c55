"""``wattribute compare``: the same month by every method, side by side."""

from typing import TYPE_CHECKING, Any

import click

from wattribute.cli.extras import needs
from wattribute.cli.options import with_settings
from wattribute.cli.statement import print_filled, progress, request_of, with_question
from wattribute.cli.terminal import clean
from wattribute.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wattribute.accounting.chargeback.statement import Statement


@click.command()
@with_question
@click.option(
    "--methods",
    default="",
    metavar="ID,ID",
    help="Methods to compare  [default: those that differ most; two-part if there is a tariff, "
    "energy-by-time and energy-by-learned if the ledger has other energy by them]",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_settings("--ledger")
def compare(
    *,
    settings: Settings,
    methods: str,
    as_json: bool,
    **given: Any,  # noqa: ANN401 - as click gives them
) -> int:
    r"""Split the same bill by every method, and show how much the results differ.

    \b
    Example:
      wattribute compare --bill focus.parquet --by label:app --month 2026-10 --tariff 0.15

    Exit code: 0; 2 if an option is wrong; 5 if the bill or the ledger cannot be read.
    """
    with needs("chargeback"):
        import msgspec

        from wattribute.accounting.chargeback.build import compare_methods
        from wattribute.accounting.chargeback.methods import COMPARED
        from wattribute.accounting.report import comparison, terminal
    chosen = [name.strip() for name in methods.split(",") if name.strip()] or list(COMPARED)
    request = request_of(settings.accounting, chosen[0], given)
    with progress() as step:
        made = compare_methods(request, settings.accounting, chosen, step)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(comparison.as_object(made))).decode())
        return 0
    first = made[0]
    click.echo(
        clean(f"{first.month} by {first.by}: {terminal.money(first.total)} {first.currency.code}")
    )
    titles = ("OWNER", *(statement.method for statement in made), "LARGEST / SMALLEST")
    print_filled(titles, _rows(made), {"OWNER"})
    for statement in made:
        click.echo(clean(f"{statement.method}: {statement.method_text}"))
    if "two-part" in chosen and all(statement.method != "two-part" for statement in made):
        click.echo(
            "The method two-part is not shown: it needs the price of a kWh. Pass --tariff 0.15."
        )
    if not methods and all(not statement.method.startswith("energy-by-") for statement in made):
        click.echo("The energy was shared by one weight only, so no other weight is compared.")
    for note in first.notes:
        click.echo(clean(f"note: {note}"))
    return 0


def _rows(made: "Sequence[Statement]") -> list[list[str]]:
    from wattribute.accounting.report import comparison
    from wattribute.accounting.report.terminal import money

    table = []
    for (_, owner), costs in comparison.costs_by_row(made).items():
        low = min(costs)
        spread = f"{max(costs) / low:.1f} x" if low > 0 and max(costs) > low else ""
        table.append([owner, *(money(cost) if cost else "-" for cost in costs), spread])
    total = ["TOTAL", *(money(statement.total) for statement in made), ""]
    return [*table, total]
