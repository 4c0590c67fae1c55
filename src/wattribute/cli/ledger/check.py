"""``wattribute ledger check``: damage, duplicates, gaps."""

import click
import msgspec

from wattribute.cli.extras import needs
from wattribute.cli.options import with_settings
from wattribute.cli.periods import period, shown, with_bounds
from wattribute.cli.terminal import clean
from wattribute.core.errors import DataInvalid
from wattribute.settings import Settings


@click.command()
@click.option(
    "--month", metavar="YYYY-MM", help="Whole month as the period  [default: all stored hours]"
)
@with_bounds
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_settings("--ledger")
def check(
    *, settings: Settings, month: str | None, from_s: int | None, to_s: int | None, as_json: bool
) -> int:
    r"""Look for damaged files, duplicate entries and missing hours.

    \b
    Example:
      wattribute ledger check --month 2026-10

    Exit code: 0; 1 if files are damaged or entries are duplicate, which makes sums wrong; 5 if the
    ledger cannot be read. Missing hours are listed, but are no error.
    """
    with needs("chargeback"):
        from wattribute.accounting.ledger.store import Store
        from wattribute.accounting.ledger.summary import faults, gaps
    start_s, end_s = period(month, from_s, to_s)
    store = Store.at(settings.accounting.ledger.path)
    first_s, last_s = store.days()
    start_s = first_s if start_s is None else start_s
    end_s = last_s if end_s is None else end_s
    files = store.files(start_s, end_s)
    if not files:
        raise DataInvalid(
            f"{settings.accounting.ledger.path}: no entries in this period, nothing to check; "
            "`wattribute ledger collect`, or name the ledger with --ledger"
        )
    damaged, entries = [], 0
    for path in files:
        try:
            entries += store.check_file(path).num_rows
        except DataInvalid as exc:
            damaged.append(str(exc))
    wrong = damaged or faults(store, start_s, end_s)
    missing = [] if damaged else gaps(store, start_s, end_s)
    if as_json:
        body = {"files": len(files), "entries": entries, "faults": wrong, "gaps": missing}
        click.echo(msgspec.json.format(msgspec.json.encode(body)).decode())
        return 1 if wrong else 0
    for line in wrong:
        click.echo(clean(line), err=True)
    for gap in missing:
        click.echo(
            clean(
                f"gap: {gap.cluster}/{gap.node} {shown(gap.start_s)} to {shown(gap.end_s)}: "
                f"{gap.missing_s / 60:.0f} min are missing"
            )
        )
    click.echo(
        f"{len(files):,} files, {entries:,} entries; faults: {len(wrong)}; gaps: {len(missing)}"
    )
    return 1 if wrong else 0
