"""What ``gate`` prints: tables for people, and reports where they were asked for."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click
import numpy as np

from wattribute.automation.gate.check import GateReport
from wattribute.automation.gate.decision import EXIT_CODES, Verdict
from wattribute.automation.gate.metrics import METRICS
from wattribute.automation.gate.output import render
from wattribute.automation.gate.output.words import TITLES, allowed, amount, change, power
from wattribute.automation.gate.power import spread_of
from wattribute.automation.gate.series import RunSeries
from wattribute.cli.terminal import TerminalColumn, clean, print_table
from wattribute.core.errors import ConfigInvalid

_COMPARED: Final = (
    TerminalColumn("WHAT"),
    TerminalColumn("METRIC"),
    TerminalColumn("BASE", right=True),
    TerminalColumn("NEW", right=True),
    TerminalColumn("CHANGE (BOUNDS)", right=True),
    TerminalColumn("ALLOWED", right=True),
    TerminalColumn("ORIGIN"),
    TerminalColumn("RUNS", right=True),
    TerminalColumn("VERDICT"),
)
_MEASURED: Final = (
    TerminalColumn("METRIC"),
    TerminalColumn("MEAN", right=True),
    TerminalColumn("LEAST", right=True),
    TerminalColumn("MOST", right=True),
    TerminalColumn("SPREAD", right=True),
)
_COLOURS: Final = {Verdict.PASS: "green", Verdict.REGRESSION: "red"}


def publish(report: GateReport, reports: Sequence[tuple[str, Path | None]]) -> int:
    """Print and write what was asked for; the exit code of the verdict."""
    if all(file is not None for _, file in reports):
        show(report)
    for name, file in reports:
        text = render(name, report)
        if file is None:
            sys.stdout.write(text)
            continue
        try:
            file.write_text(text, encoding="utf-8")
        except OSError as exc:
            raise ConfigInvalid(
                f"--report {name}={file}: cannot be written: {exc.strerror}"
            ) from exc
    return EXIT_CODES[report.verdict]


def show(report: GateReport) -> None:
    """The table, the reasons, the power of the test, the verdict last."""
    rows = [
        (
            one.name,
            one.metric,
            amount(one.base, one.metric),
            amount(one.new, one.metric),
            change(one),
            allowed(one),
            one.origin,
            f"{one.base_runs}+{one.new_runs}" if one.base_runs else str(one.new_runs),
            str(one.verdict),
        )
        for one in report.comparisons
    ]
    print_table(_COMPARED, rows)
    click.echo()
    for one in report.comparisons:
        click.echo(f"{clean(one.name)}: {one.metric}: {clean(one.reason)}")
    for explanation in report.explanations:
        click.echo(f"{clean(explanation.name)}: {clean(explanation.text)}")
    for one in report.comparisons:
        if said := power(one, report):
            click.echo(f"power: {said}")
    click.echo(f"compared with {clean(report.base)}; {clean(report.machine)}")
    for note in report.notes:
        click.echo(f"note: {clean(note)}")
    click.secho(
        f"{TITLES[report.verdict]} (exit {EXIT_CODES[report.verdict]})",
        fg=_COLOURS.get(report.verdict, "yellow"),
        bold=True,
    )


def show_series(series: RunSeries) -> None:
    """What was measured, on standard error: the command's own output is left alone."""
    rows = []
    for name in METRICS:
        values = np.array(series.values(name), np.float64)
        if len(values):
            spread = f"{100 * spread_of(values):.1f} %" if (values > 0).all() else "-"
            stats = (values.mean(), values.min(), values.max())
            rows.append((name, *(amount(float(value), name) for value in stats), spread))
    origin = f", energy {series.origin}" if series.origin else ""
    click.echo(f"wattribute: {clean(series.name)}: {len(series.runs)} runs{origin}", err=True)
    print_table(_MEASURED, rows, sys.stderr)
    parts = ", ".join(f"{name} {value:.4g} J" for name, value in series.components.items())
    if parts:
        click.echo(f"by component: {parts}", err=True)
    for note in series.notes:
        click.echo(f"note: {clean(note)}", err=True)
