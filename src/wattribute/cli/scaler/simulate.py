"""``wattribute scaler simulate``."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
import msgspec

from wattribute.cli.extras import needs
from wattribute.cli.options import with_settings
from wattribute.cli.terminal import TerminalColumn, print_table
from wattribute.core.errors import ConfigInvalid
from wattribute.core.units import GRAMS_PER_KILOGRAM, HOUR_S
from wattribute.settings import Settings

if TYPE_CHECKING:
    from wattribute.automation.scaler.policy import Policy
    from wattribute.automation.scaler.signals import Ahead
    from wattribute.automation.scaler.simulate import Arrivals, HourlyMeans, Simulation

_FILE: Final = click.Path(path_type=Path, dir_okay=False, exists=True)
_COLUMNS: Final = (
    TerminalColumn("FROM (UTC)"),
    TerminalColumn("g/kWh", right=True),
    TerminalColumn("REPLICAS", right=True),
    TerminalColumn("RUN NOW", right=True),
    TerminalColumn("WAITING", right=True),
    TerminalColumn("gCO2e", right=True),
    TerminalColumn("RUN NOW", right=True),
    TerminalColumn("REASON"),
)
_MOST_HOURS: Final = 72
"""More are shown by day."""


@click.command()
@click.option("--policy", "policy_file", type=_FILE, required=True, help="Policy file (YAML).")
@click.option(
    "--carbon", type=_FILE, required=True, help="CSV file of carbon intensities: start,g_per_kwh."
)
@click.option(
    "--demand", type=_FILE, required=True, help="CSV file of the work that arrived: start,units."
)
@click.option(
    "--plot",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write a chart to this file, *.svg or *.html.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_settings()
def simulate(
    *,
    settings: Settings,
    policy_file: Path,
    carbon: Path,
    demand: Path,
    plot: Path | None,
    as_json: bool,
) -> int:
    r"""Replay a policy over recorded carbon intensities and demand, and compare it with no policy.

    \b
    wattribute scaler simulate --policy reports.yaml --carbon grid.csv --demand queue.csv
    wattribute scaler simulate ... --plot month.html

    The policy needs wattsPerReplica and unitsPerReplicaHour. The simulated forecast is perfect, as
    it comes from the file; policies that look ahead do slightly worse with a real forecast.
    """
    with needs("scaler"):
        from wattribute.automation.scaler.inputs import read_carbon, read_demand
        from wattribute.automation.scaler.policy_file import read_policy_file
    file, policy = read_policy_file(policy_file)
    if plot is not None and plot.suffix not in (".svg", ".html"):
        raise ConfigInvalid(f"--plot {plot}: must end in .svg or .html")
    region = policy.region or settings.accounting.carbon.location or "DE"
    arrivals = read_demand(demand)
    ahead = read_carbon(carbon, region, (arrivals[0].start_s, arrivals[-1].end_s))
    found = _replayed(policy, ahead, arrivals)
    title = f"{file.namespace}/{file.name}: {policy.kind}"
    if plot is not None:
        _draw(found, title, plot)
    if as_json:
        body = {
            "policy": policy.kind,
            "avoided_g": found.avoided_g,
            "with_policy": found.policy,
            "run_now": found.run_now,
            "minutes_by_reason": found.reasons,
            "hours": found.hours,
        }
        click.echo(msgspec.json.format(msgspec.json.encode(body)).decode())
    else:
        _show(found, title)
    return 0


def _replayed(policy: "Policy", carbon: "list[Ahead]", arrivals: "list[Arrivals]") -> "Simulation":
    from rich.console import Console
    from rich.progress import Progress

    from wattribute.automation.scaler.simulate import simulate as replay
    from wattribute.automation.scaler.simulate import steps

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("replaying", total=steps(arrivals))
        return replay(policy, carbon, arrivals, advance=lambda count: progress.advance(task, count))


def _draw(found: "Simulation", title: str, path: Path) -> None:
    from wattribute.automation.scaler.plot import html, svg

    text = svg(found, title) if path.suffix == ".svg" else html(found, title)
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as exc:
        raise ConfigInvalid(f"--plot {path}: cannot be written: {exc.strerror}") from exc


def _show(found: "Simulation", title: str) -> None:
    from wattribute.automation.scaler.plot import avoided

    by_day = len(found.hours) > _MOST_HOURS
    size = 24 if by_day else 1
    groups = [found.hours[first : first + size] for first in range(0, len(found.hours), size)]
    print_table(_COLUMNS, [_row(list(group), by_day=by_day) for group in groups])
    click.echo(f"\n{title}: {avoided(found)}")
    run_columns = (
        TerminalColumn(""),
        *(TerminalColumn(name, right=True) for name in ("kWh", "kgCO2e", "UNITS", "LEFT")),
        *(TerminalColumn(name, right=True) for name in ("REPLICA-H", "MEAN DELAY", "LONGEST")),
    )
    rows = [
        [
            name,
            f"{run.kwh:.2f}",
            f"{run.grams / GRAMS_PER_KILOGRAM:.3f}",
            f"{run.units_done:.0f}",
            f"{run.units_left:.0f}",
            f"{run.replica_hours:.1f}",
            f"{run.delay_mean_s / HOUR_S:.2f} h",
            f"{run.delay_max_s / HOUR_S:.2f} h",
        ]
        for name, run in (("with the policy", found.policy), ("run at once", found.run_now))
    ]
    print_table(run_columns, rows)


def _row(hours: "list[HourlyMeans]", *, by_day: bool) -> list[str]:
    count = len(hours)
    known = [one.g_per_kwh for one in hours if one.g_per_kwh is not None]
    start = datetime.fromtimestamp(hours[0].start_s, UTC)
    reasons = [one.reason for one in hours]
    return [
        f"{start:%Y-%m-%d}" if by_day else f"{start:%Y-%m-%d %H:%M}",
        f"{sum(known) / len(known):.0f}" if known else "",
        f"{sum(one.replicas for one in hours) / count:.1f}",
        f"{sum(one.replicas_now for one in hours) / count:.1f}",
        f"{sum(one.waiting for one in hours) / count:.0f}",
        f"{sum(one.grams for one in hours):.0f}",
        f"{sum(one.grams_now for one in hours):.0f}",
        max(set(reasons), key=reasons.count),
    ]
