"""``wattribute focus``: bills in the FinOps Foundation's format."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
import msgspec

from wattribute.cli.extras import needs
from wattribute.cli.options import with_settings
from wattribute.cli.statement import progress, request_of, with_question
from wattribute.cli.terminal import TerminalColumn, clean, print_table
from wattribute.settings import Settings

if TYPE_CHECKING:
    from wattribute.accounting.focus import Finding

_COLUMNS: Final = (
    TerminalColumn(""),
    TerminalColumn("RULE"),
    TerminalColumn("COLUMN"),
    TerminalColumn("ROWS", right=True),
    TerminalColumn("FIRST AT ROW"),
    TerminalColumn("WHAT"),
)


@click.group()
def focus() -> None:
    """Export and validate bills in FOCUS, the FinOps Foundation's format."""


@focus.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--version",
    type=click.Choice(["1.0", "1.1", "1.2", "1.3", "1.4"]),
    help="Version of the standard  [default: as the header indicates]",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def validate(*, file: Path, version: str | None, as_json: bool) -> int:
    r"""Check whether FILE (CSV or Parquet) follows the rules of FOCUS; exit 1 if it does not.

    \b
    The checks are: structure (columns, nulls), formats, allowed values, rules within a row; and for
    split charges: ratios add up to 1, parts add up to the charge, at most one remainder.

    \b
    wattribute focus validate focus.parquet
    wattribute focus validate --json bill.csv.gz
    """
    with needs("chargeback"):
        from wattribute.accounting.focus import validate as check
    report = check(file, version)
    if as_json:
        body = {
            "file": str(file),
            "version": report.version,
            "valid": report.valid,
            "rows": report.rows,
            "split_groups": report.split_groups,
            "findings": [msgspec.to_builtins(finding) for finding in report.findings],
        }
        click.echo(msgspec.json.format(msgspec.json.encode(body)).decode())
        return 0 if report.valid else 1
    if report.findings:
        print_table(_COLUMNS, [_row(finding) for finding in report.findings])
    errors = sum(finding.error for finding in report.findings)
    verdict = "valid" if report.valid else f"NOT valid: {errors} kinds of errors"
    splits = f", {report.split_groups:,} split charges" if report.split_groups else ""
    click.echo(
        f"{clean(str(file))}: FOCUS {report.version}, {report.rows:,} rows{splits}: {verdict}"
    )
    return 0 if report.valid else 1


@focus.command()
@with_question
@click.option(
    "--method", default="", metavar="ID", help="Method that splits the bill  [bills.method]"
)
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="File to write, *.parquet or *.csv. Its columns are described in FILE.metadata.json.",
)
@click.option(
    "--focus-version",
    "version",
    type=click.Choice(["1.2", "1.3", "1.4"]),
    default="1.4",
    show_default=True,
    help="Version to write. 1.2 has no columns for splits; they are named x_Allocated...",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_settings("--ledger")
def export(
    *,
    settings: Settings,
    method: str,
    out: Path,
    version: str,
    as_json: bool,
    **given: Any,  # noqa: ANN401 - as click gives them
) -> int:
    r"""Write a month's bill in FOCUS format, with each charge split as in a statement.

    Each charge for a node becomes one row per owner, with energy and emissions beside the cost, and
    one row for the unallocated part. Other charges stay as they are. The rows of a charge add up to
    the charge.

    \b
    Example:
      wattribute focus export --bill focus.parquet --by team --month 2026-10 --out split.parquet
    """
    with needs("chargeback"):
        from wattribute.accounting.chargeback.focus_out import export_focus
    request = request_of(settings.accounting, method, given)
    with progress() as step:
        made = export_focus(request, settings.accounting, out, version, step)
    if as_json:
        body = {
            "file": str(out),
            "version": version,
            "rows": made.rows,
            "charges_split": made.charges_split,
            "effective_cost": str(made.total),
        }
        click.echo(msgspec.json.format(msgspec.json.encode(body)).decode())
        return 0
    click.echo(
        f"{clean(str(out))}: FOCUS {version}, {made.rows:,} rows, {made.charges_split:,} charges "
        f"split, EffectiveCost {made.total:,}"
    )
    return 0


def _row(finding: "Finding") -> list[str]:
    return [
        "error" if finding.error else "warning",
        finding.rule,
        finding.column,
        f"{finding.count:,}" if finding.rows else "",
        ", ".join(map(str, finding.rows)),
        finding.message,
    ]
