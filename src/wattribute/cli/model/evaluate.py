"""``wattribute model evaluate``: a model's figures on measured data."""

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from wattribute.cli.terminal import TerminalColumn, clean, print_table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wattribute.models.training.evaluate import Evaluation, FigureGroup
    from wattribute.models.training.metrics import Score

_COLUMNS: Final = (
    TerminalColumn("ROWS OF"),
    TerminalColumn("ROWS", right=True),
    TerminalColumn("SYSTEMS", right=True),
    TerminalColumn("MEDIAN APE %", right=True),
    TerminalColumn("MAPE %", right=True),
    TerminalColumn("P90 %", right=True),
    TerminalColumn("BIAS %", right=True),
    TerminalColumn("R2", right=True),
    TerminalColumn("IN BAND %", right=True),
)


@click.command()
@click.option(
    "--data", type=click.Path(path_type=Path), required=True, help="CSV file of measured rows."
)
@click.option(
    "--model",
    "model_file",
    default="",
    metavar="FILE",
    help="Model file  [default: the shipped model]",
)
@click.option(
    "--calibrate",
    type=click.Choice(["none", "idle"]),
    default="none",
    show_default=True,
    help="idle: give the model the row with the least load of every system, and do not score it.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the results to this file as JSON.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def evaluate(
    *, data: Path, model_file: str, calibrate: str, out: Path | None, as_json: bool
) -> int:
    """Predict each row from its machine's description, and compare with the measured watts.

    The errors are shown by data set and scope, by load, by what is known of the CPU, and for each
    machine if there are few. Rows that cannot be scored are listed with the reason.

    Exit code: 0; 1 if no row could be scored.
    """
    import msgspec

    from wattribute.core.errors import DataInvalid
    from wattribute.models.training import evaluate as scoring
    from wattribute.models.training.rows import read_rows
    from wattribute.node.estimates.power_model import read_artefact

    artefact = read_artefact(model_file)
    result = scoring.evaluate(
        artefact, read_rows(data), calibrate="idle" if calibrate == "idle" else "none"
    )
    body = msgspec.json.format(msgspec.json.encode(result)) + b"\n"
    if out is not None:
        try:
            out.write_bytes(body)
        except OSError as exc:
            raise DataInvalid(f"{out}: {exc.strerror}") from exc
    if as_json:
        click.echo(body.decode(), nl=False)
    else:
        _print(result)
    return 0 if result.rows_scored else 1


def _print(result: "Evaluation") -> None:
    click.echo(
        f"{result.model}: {result.rows_scored} of {result.rows_read} rows scored; "
        f"calibration {result.calibrated}"
    )
    for reason, count in result.left_out.items():
        click.echo(f"left out: {count} rows: {clean(reason)}")
    for name in result.broken:
        click.echo(f"left out: {clean(name)}")
    for group in result.groups:
        click.echo("")
        print_table(_COLUMNS, list(_rows(group)))


def _rows(group: "FigureGroup") -> "Iterator[list[str]]":
    yield _row(f"{group.subset} {group.scope} ({group.profile})", group.score)
    for level, score in group.by_level.items():
        yield _row(f"  at {level} % load", score)
    for known, score in group.by_known.items():
        yield _row(f"  known: {known}", score)
    for system, score in group.by_system.items():
        yield _row(f"  {system[:48]}", score)


def _row(name: str, score: "Score") -> list[str]:
    return [
        name,
        str(score.rows),
        str(score.systems),
        f"{score.median_ape_pct:.1f}",
        f"{score.mape_pct:.1f}",
        f"{score.p90_ape_pct:.1f}",
        f"{score.bias_pct:+.1f}",
        "" if score.r2 is None else f"{score.r2:.3f}",
        f"{score.band_covers_pct:.1f}",
    ]
