"""``wattribute ledger collect``: read hours, and seal them."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
import msgspec

from wattribute.accounting.settings import LedgerSettings
from wattribute.cli.extras import needs
from wattribute.cli.log import configure
from wattribute.cli.options import with_settings
from wattribute.cli.periods import period, shown, with_bounds
from wattribute.cli.terminal import clean
from wattribute.core.errors import ConfigInvalid
from wattribute.core.units import HOUR_S, MILLISECONDS_PER_MINUTE, MILLISECONDS_PER_SECOND
from wattribute.settings import Settings

if TYPE_CHECKING:
    from wattribute.accounting.ledger.collect import Collector
    from wattribute.accounting.ledger.fill import Outcome
    from wattribute.accounting.ledger.spool import SpoolReader

_LINES: Final = 20
"""Gaps and problems that are printed one by one."""


@click.command()
@with_bounds
@click.option(
    "--spool",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar="DIR",
    help="Read files of `wattribute agent --spool` instead of Prometheus.",
)
@click.option("--month", metavar="YYYY-MM", help="Whole month as the period, as far as it is past.")
@click.option(
    "--recheck",
    is_flag=True,
    help="Read stored hours again, and add corrections where they differ.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_settings("--prometheus", "--ledger", "--log-level", "--log-format")
def collect(
    *,
    settings: Settings,
    spool: Path | None,
    from_s: int | None,
    to_s: int | None,
    month: str | None,
    recheck: bool,
    as_json: bool,
) -> int:
    r"""Read hours of energy use from Prometheus or an agent's spool, and store them.

    An hour is stored once, ten minutes after its end (ledger.settle). Data that arrive later are
    added as corrections by the next run that covers the hour; nothing is overwritten. A run may be
    stopped and started again. Without --from it begins where the stored hours end, at least a day
    back.

    \b
    Examples:
      wattribute ledger collect --prometheus http://prometheus:9090 --month 2026-10
      wattribute ledger collect --prometheus http://prometheus:9090     # from cron, every hour
      wattribute ledger collect --spool /var/lib/wattribute/spool

    Exit code: 0; 1 if no agent was seen in the period; 2 if the settings are wrong; 5 if the API or
    the ledger cannot be used.
    """
    configure(settings.log)
    first_s, last_s = period(month, from_s, to_s)
    if (spool is None) == (not settings.accounting.ledger.prometheus_url):
        raise ConfigInvalid(
            "ledger collect needs one source: --prometheus URL (ledger.prometheus_url), "
            "or --spool DIR"
        )
    with needs("chargeback"):
        from wattribute.accounting.ledger.fill import Fill, default_start
        from wattribute.accounting.ledger.store import Store
    store = Store.at(settings.accounting.ledger.path)
    settled_s = int(time.time() - settings.accounting.ledger.settle) // HOUR_S * HOUR_S
    with store.locked(), _reader(settings.accounting.ledger, spool) as reader:
        begins_s, ends_s = (None, settled_s) if spool is None else reader.hours()
        end_s = min(last_s if last_s is not None else ends_s, settled_s, ends_s)
        start_s = first_s if first_s is not None else begins_s
        start_s = start_s if start_s is not None else default_start(store, end_s)
        if start_s >= end_s:
            raise click.UsageError(
                f"no hour to seal in this period: the last that is over ends {shown(settled_s)}"
            )
        with _progress((end_s - start_s) // HOUR_S) as done:
            fill = Fill(store, reader, now_s=time.time, recheck=recheck, progress=done)
            outcome = fill.run(start_s, end_s)
        outcome.problems += reader.problems
    report(outcome, as_json=as_json)
    if outcome.node_hours or outcome.skipped:
        return 0
    click.echo(
        "wattribute: no agent was seen in this period: does the server scrape one, and does "
        "ledger.selector match its wattribute_node_info?",
        err=True,
    )
    return 1


@contextmanager
def _reader(ledger: LedgerSettings, spool: Path | None) -> "Iterator[Collector | SpoolReader]":
    from wattribute.accounting.ledger.collect import Collector
    from wattribute.accounting.ledger.spool import SpoolReader
    from wattribute.accounting.promql.client import Prometheus

    if spool is not None:
        yield SpoolReader(spool, cluster=ledger.cluster)
        return
    with Prometheus(ledger) as prometheus:
        yield Collector(
            prometheus,
            selector=ledger.selector,
            cluster=ledger.cluster,
            annotations=ledger.annotations,
        )


@contextmanager
def _progress(hours: int) -> Iterator[Callable[[int], None]]:
    """A bar on standard error; gives what to tell of every hour that is done."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
               TimeRemainingColumn())  # fmt: skip
    console = Console(stderr=True)
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task("hours", total=hours)

        def done(hour_s: int) -> None:
            bar.update(task, advance=1, description=shown(hour_s))

        yield done


def report(outcome: "Outcome", *, as_json: bool) -> None:
    """Print what a run did."""
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(outcome)).decode())
        return
    click.echo(
        f"read {outcome.node_hours:,} node hours ({outcome.skipped:,} were sealed already): "
        f"{outcome.entries:,} entries and {outcome.corrections:,} corrections "
        f"in {len(outcome.seals)} seals"
    )
    lines = [
        f"gap: {node} {shown(start_ms / MILLISECONDS_PER_SECOND)} to "
        f"{shown(end_ms / MILLISECONDS_PER_SECOND)} "
        f"({(end_ms - start_ms) / MILLISECONDS_PER_MINUTE:.0f} min)"
        for node, start_ms, end_ms in outcome.gaps
    ]
    lines += [f"kept as sealed, because less is known of it now: {node} {shown(hour_s)}"
              for hour_s, _, node in outcome.forgotten]  # fmt: skip
    lines += outcome.problems
    for line in lines[:_LINES]:
        click.echo(clean(line), err=True)
    if len(lines) > _LINES:
        click.echo(f"and {len(lines) - _LINES:,} more lines like these; --json has all", err=True)
