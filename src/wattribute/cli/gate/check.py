"""``wattribute gate check``: compare with the baseline."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from wattribute.cli.gate.options import BASELINE, deciding, results_option
from wattribute.cli.gate.shown import publish
from wattribute.core.errors import ConfigInvalid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wattribute.automation.gate.check import Limit
    from wattribute.automation.gate.decision import Rules
    from wattribute.automation.gate.series import RunSeries


@click.command()
@results_option("File with the runs to check, written by `gate run`.")
@click.option(
    "--baseline",
    type=click.Path(path_type=Path, dir_okay=False),
    help=f"Baseline to compare with  [default: {BASELINE}, if it exists]",
)
@click.option(
    "--on-missing",
    type=click.Choice(["fail", "pass"]),
    default="fail",
    show_default=True,
    help="If no baseline is comparable: fail with exit code 4, or pass with a warning.",
)
@deciding
def check(
    *,
    results: Path,
    baseline: Path | None,
    on_missing: Literal["fail", "pass"],
    rules: "Rules",
    metrics: tuple[str, ...],
    limits: "list[Limit]",
    reports: list[tuple[str, Path | None]],
) -> int:
    r"""Compare the last runs with the baseline, and fail on a certain regression.

    \b
    wattribute gate check --max-regression 5% --metric energy_j,cpu_s
    wattribute gate check --absolute 'energy_j<500'
    wattribute gate check --report markdown=summary.md --report junit=energy.xml

    A one-sided permutation test compares new with base. The check fails if the lower bound of
    their ratio is above the tolerance. It passes if the upper bound excludes a relevant regression
    (--detect). Otherwise the runs are too noisy to tell.

    Exit code: 0 pass, 1 regression, 3 too noisy to tell, 4 no comparable baseline.
    """
    from wattribute.automation.gate.baseline import read_baseline
    from wattribute.automation.gate.check import check as compared
    from wattribute.automation.gate.decision import EXIT_CODES, Verdict
    from wattribute.automation.gate.series import read_series

    fresh = read_series(results, made_by="wattribute gate run")
    if not fresh:
        raise ConfigInvalid(f"{results}: no runs in this file. Run `wattribute gate run` first.")
    if baseline is not None or BASELINE.exists():
        entries: Sequence[RunSeries] | None = read_baseline(baseline or BASELINE)
    else:
        entries = None if limits else ()
    report = compared(fresh, entries, metrics, limits, rules)
    code = publish(report, reports)
    if code == EXIT_CODES[Verdict.INCOMPARABLE] and on_missing == "pass":
        click.echo(
            "wattribute: nothing was compared; passed because of --on-missing pass", err=True
        )
        return 0
    return code
