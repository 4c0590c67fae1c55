"""``wattribute gate ab``: two revisions, measured in turn in one job."""

import shlex
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wattribute.cli.gate.options import deciding
from wattribute.cli.gate.run import cannot_start, say
from wattribute.cli.gate.shown import publish
from wattribute.cli.log import configure
from wattribute.cli.number import Number
from wattribute.cli.options import MEASURING, with_settings
from wattribute.core.errors import DataInvalid
from wattribute.settings import Settings

if TYPE_CHECKING:
    from wattribute.automation.gate.check import Limit
    from wattribute.automation.gate.decision import Rules


@click.command(context_settings={"allow_interspersed_args": False})
@click.option("--base", required=True, metavar="REV", help="The revision to compare with.")
@click.option("--setup", metavar="COMMAND",
              help="Shell command that runs once in each tree: 'make build'.")  # fmt: skip
@click.option("--runs", type=click.IntRange(1, 1000), default=7, show_default=True,
              help="Measured runs of each revision.")  # fmt: skip
@click.option("--warmup", type=click.IntRange(0, 100), default=1, show_default=True,
              help="Runs of each revision before the measured ones; not counted.")  # fmt: skip
@click.option(
    "--name", metavar="NAME", help="Name of the command in reports  [default: the command]"
)
@click.option("--g-per-kwh", type=Number(min=0, min_open=True), metavar="G",
              help="Carbon intensity of the electricity; adds the metric co2e_g.")  # fmt: skip
@deciding
@with_settings("--interval", *MEASURING)
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def ab(
    *,
    settings: Settings,
    command: tuple[str, ...],
    base: str,
    setup: str | None,
    runs: int,
    warmup: int,
    name: str | None,
    g_per_kwh: float | None,
    rules: "Rules",
    metrics: tuple[str, ...],
    limits: "list[Limit]",
    reports: list[tuple[str, Path | None]],
) -> int:
    r"""Compare the working tree with another revision of the repository.

    \b
    wattribute gate ab --base origin/main -- pytest -q tests/perf
    wattribute gate ab --base v1.2 --setup 'make build' -- ./build/bench

    The other revision is checked out in a temporary folder, and the command runs in both in turn.
    If the machine gets slower or busier, that affects both, so no baseline file is needed. Files
    that git ignores (builds, virtual environments) are missing in that folder; create them with
    --setup.

    Exit code: 0 pass, 1 regression, 3 too noisy to tell.
    """
    from wattribute.automation.gate.check import check_sides
    from wattribute.automation.gate.repeat import Work, run_in_turn
    from wattribute.automation.gate.worktree import checked_out

    configure(settings.log)
    here = Path.cwd()
    with checked_out(base, here) as (folder, commit):
        for where, what in ((folder, base), (here, "the working tree")):
            if setup is not None:
                _set_up(setup, where, what)
        work = Work(
            name=name or shlex.join(command), command=command, settings=settings.node,
            folder=here, g_per_kwh=g_per_kwh,
        )  # fmt: skip
        old = Work(
            name=f"{base} ({commit})", command=command, settings=settings.node,
            folder=folder, g_per_kwh=g_per_kwh,
        )  # fmt: skip
        try:
            sides = run_in_turn(old, work, runs, warmup, say)
        except OSError as exc:
            raise cannot_start(command, exc) from exc
    return publish(check_sides(*sides, metrics, limits, rules), reports)


def _set_up(setup: str, folder: Path, what: str) -> None:
    say(f"set-up of {what}")
    code = subprocess.run(["sh", "-c", setup], cwd=folder, check=False).returncode  # noqa: S607
    if code:
        raise DataInvalid(f"--setup failed in {what} with exit code {code}: {setup}")
