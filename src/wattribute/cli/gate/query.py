"""``wattribute gate query``: what pods used, asked of Prometheus."""

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
              help="Or Thanos, Mimir, ...  [default: ledger.prometheus_url]")  # fmt: skip
@click.option("--selector", required=True, metavar="MATCHERS",
              help="""Whose energy: 'namespace="ci",pod=~"load-.*"'.""")  # fmt: skip
@click.option("--from", "start", required=True, metavar="TIME",
              help="2026-01-31T12:00:00Z, or Unix seconds.")  # fmt: skip
@click.option("--to", "end", required=True, metavar="TIME", help="The same.")
@click.option("--runs", type=click.IntRange(1, 1000), default=7, show_default=True,
              help="The window is cut into so many of equal length.")  # fmt: skip
@click.option(
    "--idle", is_flag=True, help="With the pods' part of the floor, not dynamic energy alone."
)
@click.option("--name", metavar="NAME", help="What the baseline calls it  [default: the selector]")
@results_option("Where the runs are kept; other names in it stay.")
@click.option("--g-per-kwh", type=Number(min=0, min_open=True), metavar="G",
              help="Carbon intensity of the electricity: adds co2e_g.")  # fmt: skip
@click.option("--units", type=Number(min=0, min_open=True), metavar="N",
              help="Units of work in the whole window: adds energy_per_unit.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="What was found as JSON, on standard error.")
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
    r"""Ask Prometheus what pods used in a window, such as a load test in a cluster.

    \b
    wattribute gate query --prometheus http://localhost:9090 \
        --selector 'namespace="ci",pod=~"load-.*"' \
        --from 2026-01-31T12:00:00Z --to 2026-01-31T12:14:00Z
    wattribute gate check

    `namespace`, `pod` and `container` are those that used the energy. How to log in, tenant and
    certificates are the settings of the room `ledger`.

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
    room = settings.accounting.ledger
    if prometheus is not None:
        room = msgspec.structs.replace(room, prometheus_url=prometheus)
    question = Question(
        name=name or selector, selector=selector, start_s=when(start, "--from"),
        end_s=when(end, "--to"), runs=runs, idle=idle, g_per_kwh=g_per_kwh, units=units,
    )  # fmt: skip
    with Prometheus(room) as source:
        series = ask(source, question)
    with_series(results, series)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(series)).decode(), err=True)
    else:
        show_series(series)
        click.echo(f"kept in {results}; next: wattribute gate check", err=True)
    return 0
