"""``wattribute statement``: a month's bill, split by who used the energy."""

import shutil
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from wattribute.accounting.backends import REPORT_FORMATS
from wattribute.cli.extras import needs
from wattribute.cli.options import with_settings
from wattribute.cli.terminal import TerminalColumn, clean, print_table
from wattribute.settings import Settings

if TYPE_CHECKING:
    from wattribute.accounting.chargeback.request import StatementRequest
    from wattribute.accounting.chargeback.statement import Statement
    from wattribute.accounting.settings import AccountingSettings

_GAP: Final = 3
"""Between two columns on a terminal."""
_STEPS: Final = 9
"""About as many steps as a statement has; the bar says how far it is."""


def with_question(command: Callable[..., int]) -> Callable[..., int]:
    """The flags that say what is to be split, and how: for ``statement`` and ``compare``."""
    options = (
        click.option(
            "--bill",
            "bills",
            multiple=True,
            type=click.Path(path_type=Path),
            metavar="FILE",
            help="FOCUS 1.0 to 1.4 or AWS CUR 2.0 (CSV, Parquet), or a price list (YAML). "
            "Repeat it if the bill has several files.",
        ),
        click.option(
            "--total",
            "totals",
            multiple=True,
            metavar="'NAME=SUM CUR'",
            help="Split a known sum instead of a bill: 'EC2=50000 USD'.",
        ),
        click.option(
            "--by",
            default="namespace",
            show_default=True,
            metavar="KEY",
            help="Who pays: label:NAME, annotation:NAME, team, product, environment, cost_center, "
            "namespace, "
            "owner, pod, container, node or cluster.",
        ),
        click.option(
            "--month", "month_text", required=True, metavar="YYYY-MM", help="Month of the bill."
        ),
        click.option(
            "--currency", default="", metavar="CUR", help="Use only invoice lines of this currency."
        ),
        click.option(
            "--tariff",
            default="",
            metavar="PRICE|FILE",
            help="Price of a kWh, or a price list; needed by the method two-part  [bills.tariff]",
        ),
        click.option(
            "--timezone",
            default="",
            metavar="ZONE",
            help="Time zone of the month  [bills.timezone: UTC]",
        ),
        click.option(
            "--engine",
            type=click.Choice(["duckdb", "polars", "spark"]),
            default="duckdb",
            show_default=True,
            help="Engine that computes the result. All give the same result, to the cent.",
        ),
        click.option(
            "--master",
            default="",
            metavar="URL",
            help="Master of the Spark cluster: spark://, yarn, k8s://.",
        ),
        click.option(
            "--memory",
            default="",
            metavar="SIZE",
            help="Memory that DuckDB (3GB) or the Spark driver (3g) may use.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def request_of(
    settings: "AccountingSettings", method: str, given: dict[str, Any]
) -> "StatementRequest":
    """Make the request for a statement from the flags; settings fill in what is missing."""
    from wattribute.accounting.chargeback.charges import Month
    from wattribute.accounting.chargeback.request import StatementRequest

    zone = given["timezone"] or settings.bills.timezone
    return StatementRequest(
        ledger=settings.ledger.path,
        month=Month.parse(given["month_text"], zone),
        by=given["by"],
        bills=tuple(given["bills"]),
        totals=tuple(given["totals"]),
        method=method or settings.bills.method,
        currency=given["currency"],
        tariff=given["tariff"] or settings.bills.tariff,
        engine=given["engine"],
        master=given["master"],
        memory=given["memory"],
    )


@contextmanager
def progress() -> Iterator[Callable[[str], None]]:
    """A bar on standard error, where that is a terminal; gives what it is told of each step."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (BarColumn(20), TextColumn("{task.description}"), TimeElapsedColumn())
    console = Console(stderr=True)
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task("", total=_STEPS)

        def step(what: str) -> None:
            bar.update(task, description=what, advance=1)

        yield step


@click.command()
@with_question
@click.option(
    "--method", default="", metavar="ID", help="Method that splits the bill  [bills.method]"
)
@click.option(
    "--out",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Also write the statement to this file: "
    + ", ".join(f"*{ending}" for ending in REPORT_FORMATS.names)
    + ".",
)
@click.option(
    "--pdf",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Write a printable invoice for each owner to this folder.",
)
@click.option(
    "--unit",
    "units",
    multiple=True,
    metavar="NAME",
    help="Also show joules, cost and grams (SCI) per unit of work; NAME is a key of carbon.units.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_settings("--ledger")
@click.pass_context
def statement(
    ctx: click.Context,
    /,
    *,
    settings: Settings,
    method: str,
    out: tuple[Path, ...],
    units: tuple[str, ...],
    pdf: Path | None,
    as_json: bool,
    **given: Any,  # noqa: ANN401 - as click gives them
) -> int:
    r"""Split a bill by who used the energy; exact to the cent.

    \b
    Examples:
      wattribute statement --bill focus.parquet --by label:app --month 2026-10
      wattribute statement --total 'EC2=50000 USD' --by label:app --month 2026-10
      wattribute statement --bill cur.parquet --by team --month 2026-10 --out october.csv
      wattribute statement --bill focus.csv --by team --month 2026-10 --out page.html --pdf pdf

    The last line is the check: allocated + unallocated = invoice. `wattribute explain ROW` explains
    one row; `wattribute compare` shows the result of other methods.

    Exit code: 0; 2 if an option is wrong; 5 if the bill or the ledger cannot be read.
    """
    with needs("chargeback"):
        from wattribute.accounting.chargeback.build import make_statement
        from wattribute.accounting.chargeback.per_unit import divide, queries_of
        from wattribute.accounting.chargeback.remember import remember
        from wattribute.accounting.report import files, json_file, terminal
    for path in out:
        files.check_name(path)
    queries = queries_of(settings.accounting, units)
    request = request_of(settings.accounting, method, given)
    with progress() as step:
        made = make_statement(request, settings.accounting, step)
        divided = divide(made, settings.accounting.ledger, request.month, queries)
    for path in out:
        files.write(made, path)
    if pdf is not None:
        _write_invoices(made, pdf)
    try:
        remember(made, request, ctx.params.get("config"))
    except OSError as exc:
        click.echo(f"This statement was not stored, so `explain` cannot use it: {exc}", err=True)
    if as_json:
        click.echo(json_file.as_json(made, divided).decode(), nl=False)
        return 0
    click.echo(clean(terminal.heading(made)))
    print_filled(terminal.TITLES, list(terminal.lines(made)), terminal.LEFT, terminal.SPARE)
    if divided:
        rows = [terminal.per_unit_cells(one) for one in divided]
        print_filled(terminal.PER_UNIT_TITLES, rows, terminal.LEFT)
    for line in terminal.footer(made):
        click.echo(clean(line))
    return 0


def _write_invoices(made: "Statement", folder: Path) -> None:
    with needs("chargeback"):
        from wattribute.accounting.report.pdf import write_all
    written = write_all(made, folder)
    click.echo(f"{folder}: {len(written)} invoices", err=True)


def print_filled(
    titles: Sequence[str],
    rows: Sequence[Sequence[str]],
    left: Collection[str],
    spare: Sequence[str] = (),
) -> None:
    """Print a table without the columns in which nobody has anything.

    Args:
        titles: Of the columns.
        rows: Cells.
        left: Titles of columns that are aligned to the left.
        spare: Titles that a terminal too narrow for all does without, the first ones first.
    """
    filled = [at for at in range(len(titles)) if any(row[at] for row in rows)]
    widths = [max(len(cell) for cell in (title, *cells)) + _GAP
              for title, *cells in zip(titles, *rows, strict=True)]  # fmt: skip
    room = shutil.get_terminal_size().columns if sys.stdout.isatty() else sys.maxsize
    for title in spare:
        if sum(widths[at] for at in filled) > room:
            filled = [at for at in filled if titles[at] != title]
    columns = [TerminalColumn(titles[at], right=titles[at] not in left) for at in filled]
    print_table(columns, [[row[at] for at in filled] for row in rows])
