"""``wattribute explain``: one number of a statement, back to the invoice and the counters."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wattribute.cli.extras import needs
from wattribute.cli.statement import print_filled, progress
from wattribute.cli.terminal import clean
from wattribute.core.units import (
    HOUR_S,
    MICROJOULES_PER_JOULE,
    MILLICORES_PER_CORE,
    joules,
    seconds,
)
from wattribute.settings import load

if TYPE_CHECKING:
    from wattribute.accounting.chargeback.explain import Explanation, InvoiceLine, WorkloadEntries

_LINES: tuple[str, ...] = (
    *("INVOICE LINE", "WHAT", "RESOURCE", "HOURS (UTC)", "COST", "BY", "WEIGHT", "OF", "RATIO"),
    "PART",
)
_ENTRIES: tuple[str, ...] = (
    *("COMPONENT", "POD", "CONTAINER", "JOULES", "CPU HOURS", "CPU HOURS RESERVED", "ORIGIN"),
    *("COUNTER", "SEAL"),
)
_SHOWN_PODS = 48


@click.command()
@click.argument("row")
@click.option(
    "--limit", default=10, show_default=True, help="Show at most this many invoice lines."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def explain(*, row: str, limit: int, as_json: bool) -> int:
    r"""Explain one row of a statement: its invoice lines, ratios, ledger entries and counters.

    ROW is a row id that a statement printed, or the name of an owner in the latest statement. The
    bill is split again; if a file or a rule has changed since, the command fails and says so.

    \b
    Examples:
      wattribute explain 3f9a2c-1
      wattribute explain marketing-ai-bot

    Exit code: 0; 5 if the row is not known or the files have changed.
    """
    with needs("chargeback"):
        import msgspec

        from wattribute.accounting.chargeback.explain import explain as taken_apart
        from wattribute.accounting.chargeback.remember import recall
    kept, number = recall(row)
    settings = load(Path(kept.config) if kept.config else None, os.environ, {})
    with progress() as step:
        made = taken_apart(kept, number, settings.accounting, limit, step)
    if as_json:
        body = msgspec.to_builtins(made, builtin_types=())
        click.echo(msgspec.json.format(msgspec.json.encode(body)).decode())
        return 0
    _print(made)
    return 0


def _print(made: "Explanation") -> None:
    from wattribute.accounting.report.terminal import money, watts_per_core

    click.echo(clean(f"{made.row}  {made.owner}: {money(made.cost)} {made.currency}"))
    click.echo(clean(f"method {made.method.id}: {made.method.text}"))
    if made.shared:
        click.echo(f"Part of it from shared pools and rounding: {money(made.shared)}")
    if made.lines:
        print_filled(_LINES, [_line(line) for line in made.lines], set(_LINES[:4]) | {"BY"})
    more = made.lines_all - len(made.lines)
    rest = f"; {more:,} more are not shown (--limit)" if more > 0 else ""
    click.echo(f"{made.lines_all:,} parts add up to {made.parts_sum:,f}{rest}")
    if made.entries:
        click.echo("\nThe ledger's entries behind the first line:")
        left = {"COMPONENT", "POD", "CONTAINER", "ORIGIN", "COUNTER", "SEAL"}
        print_filled(_ENTRIES, [_entry(entry) for entry in made.entries], left)
        if made.entries_all > len(made.entries):
            click.echo(f"and {made.entries_all - len(made.entries):,} more")
        for entry in made.entries:
            if entry.watts_per_core is not None:
                click.echo(clean(f"{_pod(entry)} {watts_per_core(entry.watts_per_core)}."))
    if made.watts_per_core is not None:
        of_month = f"In the month {made.owner} {watts_per_core(made.watts_per_core)}."
        click.echo(f"\n{clean(of_month)}")


def _line(line: "InvoiceLine") -> list[str]:
    unit = {"energy": " J", "capacity": " units"}.get(line.basis, "")
    scale = MICROJOULES_PER_JOULE if line.basis == "energy" else 1
    return [
        line.source,
        f"{line.service}: {line.description}"[:_SHOWN_PODS],
        line.resource[-_SHOWN_PODS:],
        line.period,
        f"{line.cost:f}",
        line.basis,
        f"{line.weight / scale:,.0f}{unit}",
        f"{line.line_weight / scale:,.0f}{unit}",
        f"{line.ratio:.6f}",
        f"{line.part:f}",
    ]


def _pod(entry: "WorkloadEntries") -> str:
    return f"{entry.namespace}/{entry.pod}" if entry.namespace else entry.pod


def _entry(entry: "WorkloadEntries") -> list[str]:
    requested_core_h = entry.cpu_request_mcore_s / MILLICORES_PER_CORE / HOUR_S
    return [
        entry.component,
        _pod(entry)[-_SHOWN_PODS:],
        entry.container,
        f"{joules(entry.energy_uj):,.0f}",
        f"{seconds(entry.cpu_ns) / HOUR_S:,.2f}" if entry.cpu_ns else "",
        f"{requested_core_h:,.2f}" if requested_core_h else "",
        entry.origin,
        entry.counter,
        ", ".join(entry.seals),
    ]
