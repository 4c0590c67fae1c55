"""``wattribute ledger show``: who used how much energy."""

from typing import TYPE_CHECKING

import click
import msgspec

from wattribute.cli.extras import needs
from wattribute.cli.options import with_settings
from wattribute.cli.periods import period, with_bounds
from wattribute.cli.terminal import TerminalColumn, clean, print_table
from wattribute.core.units import HOUR_S, MICROJOULES_PER_KWH, NANOSECONDS_PER_SECOND
from wattribute.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wattribute.accounting.ledger.summary import Sum


@click.command()
@click.option(
    "--by",
    default="namespace",
    show_default=True,
    metavar="KEY",
    help="Group by: cluster, node, instance_type, region, kind, component, origin, shared_by, "
    "namespace, pod, container, owner_kind, owner_name, label:NAME, annotation:NAME; or team, "
    "product, environment, cost_center, by the rules of the settings (ownership.rules).",
)
@click.option("--month", metavar="YYYY-MM", help="Whole month as the period.")
@with_bounds
@click.option("--json", "as_json", is_flag=True, help="Print JSON, in microjoules.")
@with_settings("--ledger")
def show(
    *,
    settings: Settings,
    by: str,
    month: str | None,
    from_s: int | None,
    to_s: int | None,
    as_json: bool,
) -> int:
    r"""Show energy by namespace, label, node and other keys. Idle energy is not split.

    Idle energy is in the row (idle); `wattribute statement` splits it, and shows costs. By team,
    product and the like, energy that no rule assigns is in the row (unowned), and rules that match
    nothing are listed.

    \b
    Example:
      wattribute ledger show --by label:app --month 2026-10
      wattribute ledger show --by team --config wattribute.yaml

    Exit code: 0; 1 if the period has no entry; 5 if the ledger cannot be read.
    """
    with needs("chargeback"):
        from wattribute.accounting.ledger.ownership import DIMENSIONS, Ownership
        from wattribute.accounting.ledger.store import Store
        from wattribute.accounting.ledger.summary import owned, sums
    start_s, end_s = period(month, from_s, to_s)
    store = Store.at(settings.accounting.ledger.path)
    first_s, last_s = store.days()
    start_s = first_s if start_s is None else start_s
    end_s = last_s if end_s is None else end_s
    if by in DIMENSIONS:
        ownership = Ownership(settings.accounting.ownership.rules)
        rows = owned(store, start_s, end_s, ownership, by)
        for line in ownership.unmatched() if rows else ():
            click.echo(clean(line), err=True)
    else:
        rows = sums(store, start_s, end_s, by)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(rows)).decode())
        return 0 if rows else 1
    if not rows:
        click.echo(f"{settings.accounting.ledger.path}: no entries in this period", err=True)
        return 1
    _print(rows, by)
    return 0


def _print(rows: "Sequence[Sum]", by: str) -> None:
    total_uj = sum(row.energy_uj for row in rows)
    # A column by another weight is shown where it says anything.
    weights = [
        (title, name)
        for title, name in (("BY CPU TIME", "time_uj"), ("BY LEARNED", "learned_uj"))
        if any(getattr(row, name) != row.energy_uj for row in rows)
    ]
    columns = (
        TerminalColumn(by.upper()),
        *(TerminalColumn(title, right=True) for title in
          ("KWH", "SHARE %", "LOW", "HIGH", *(title for title, _ in weights), "CPU HOURS",
           "ESTIMATED %")),
    )  # fmt: skip
    table = [
        (
            row.group or "(none)",
            _kwh(row.energy_uj),
            _percent(row.energy_uj, total_uj),
            _kwh(row.low_uj),
            _kwh(row.high_uj),
            *(_kwh(getattr(row, name)) for _, name in weights),
            f"{row.cpu_ns / NANOSECONDS_PER_SECOND / HOUR_S:,.1f}",
            _percent(row.estimated_uj, row.energy_uj),
        )
        for row in rows
    ]
    sums_by_weight = [_kwh(sum(getattr(row, name) for row in rows)) for _, name in weights]
    total = ("total", _kwh(total_uj), "100.0", "", "", *sums_by_weight, "", "")
    print_table(columns, [*table, total])


def _kwh(energy_uj: int) -> str:
    return f"{energy_uj / MICROJOULES_PER_KWH:,.3f}"


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f}" if whole else "0.0"
