"""``wattribute gate query``: ask Prometheus how much energy pods used."""

from pathlib import Path

import click
import msgspec

from wattribute.cli.gate.options import results_option
from wattribute.cli.log import configure
from wattribute.cli.number import Number
from wattribute.cli.options import with_settings
from wattribute.core.errors import ConfigInvalid
from wattribute.settings import Settings


@click.command()
@click.option("--prometheus", metavar="URL",
              help="Prometheus, Thanos, Mimir, ...  [default: ledger.prometheus_url]")  # fmt: skip
@click.option("--selector", required=True, metavar="MATCHERS",
              help="""Pods to measure: 'namespace="ci",pod=~"load-.*"'.""")  # fmt: skip
@click.option("--from", "start", required=True, metavar="TIME",
              help="Start of the window: 2026-01-31T12:00:00Z, or Unix seconds.")  # fmt: skip
@click.option(
    "--to", "end", required=True, metavar="TIME", help="End of the window, written alike."
)
@click.option("--runs", type=click.IntRange(1, 1000), default=7, show_default=True,
              help="Divide the window into this many runs of equal length.")  # fmt: skip
@click.option(
    "--idle", is_flag=True, help="Include the pods' share of idle energy, not only dynamic energy."
)
@click.option(
    "--name", metavar="NAME", help="Name of these runs in the baseline  [default: the selector]"
)
@results_option("File for the runs. Runs of other names in it are kept.")
@click.option("--g-per-kwh", type=Number(min=0, min_open=True), metavar="G",
              help="Carbon intensity of the electricity; adds the metric co2e_g.")  # fmt: skip
@click.option("--units", type=Number(min=0, min_open=True), metavar="N",
              help="Units of work in the whole window; adds energy_per_unit.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the runs as JSON on standard error.")
@with_settings()
def query(
    *,
    settings: Settings,
    prometheus: str | None,
    selector: str,
    start: str,
    end: str,
    runs: int,
    idle: bool,
    name: str | None,
    results: Path,
    g_per_kwh: float | None,
    units: float | None,
    as_json: bool,
) -> int:
    r"""Ask Prometheus how much energy pods used in a window, such as a load test.

    \b
    wattribute gate query --prometheus http://localhost:9090 \
        --selector 'namespace="ci",pod=~"load-.*"' \
        --from 2026-01-31T12:00:00Z --to 2026-01-31T12:14:00Z
    wattribute gate check

    `namespace`, `pod` and `container` in the selector name the pods that used the energy. The
    settings `ledger.*` hold credentials, tenant and certificates for Prometheus.

    Exit code: 0; 5 if Prometheus does not answer, or has no samples.
    """
    try:
        from wattribute.accounting.promql.client import Prometheus
    except ImportError as exc:
        raise ConfigInvalid(
            "gate query needs wattribute[gate]; in a clone: make setup-all"
        ) from exc
    from wattribute.automation.gate.query import Question, ask, when
    from wattribute.automation.gate.series import with_series
    from wattribute.cli.gate.shown import show_series

    configure(settings.log)
    ledger = settings.accounting.ledger
    if prometheus is not None:
        ledger = msgspec.structs.replace(ledger, prometheus_url=prometheus)
    question = Question(
        name=name or selector, selector=selector, start_s=when(start, "--from"),
        end_s=when(end, "--to"), runs=runs, idle=idle, g_per_kwh=g_per_kwh, units=units,
    )  # fmt: skip
    with Prometheus(ledger) as source:
        series = ask(source, question)
    with_series(results, series)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(series)).decode(), err=True)
    else:
        show_series(series)
        click.echo(f"kept in {results}; next: wattribute gate check", err=True)
    return 0
