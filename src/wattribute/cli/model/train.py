"""``wattribute model train``: measured data, recordings, or both -> the artefact."""

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from wattribute.cli.options import OUT
from wattribute.cli.terminal import TerminalColumn, clean, print_table

if TYPE_CHECKING:
    from wattribute.models.training.recordings import Read
    from wattribute.models.training.train import Trained
    from wattribute.node.estimator.artefact import Artefact

_COLUMNS: Final = (
    TerminalColumn("SHA-256"),
    TerminalColumn("CPU"),
    TerminalColumn("HOW"),
    *(TerminalColumn(name, right=True) for name in ("POINTS", "WALL %", "PKG %", "DRAM %")),
)


@click.command()
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="Folder with CSV files of measured rows, and cpu_specs.csv.",
)
@click.option(
    "--recordings",
    type=click.Path(path_type=Path),
    help="Folder with recordings of your own machines, from `wattribute model collect`.",
)
@click.option(
    "--accept",
    multiple=True,
    metavar="SHA256",
    help="Recordings to accept from a quarantine folder: the start of their SHA-256, or `all`.",
)
@click.option(
    "--model",
    "model_file",
    default="",
    metavar="FILE",
    help="Model file that learns from the recordings, without --data  [default: the shipped model]",
)
@OUT
@click.option(
    "--card",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Also write the model card to this Markdown file; needs --data.",
)
def train(
    *,
    data: Path | None,
    recordings: Path | None,
    accept: tuple[str, ...],
    model_file: str,
    out: Path,
    card: Path | None,
) -> int:
    """Fit the power model to measured data, or to recordings of your own machines.

    The same data always give the same file. Rows and recordings that cannot be used are listed on
    standard error. --data takes about a minute for a thousand systems; --recordings alone takes a
    second:

      wattribute model train --recordings recordings/ --out power-model.json

    Exit code: 0; 1 if the recordings are in quarantine and none is accepted.
    """
    if data is None and recordings is None:
        raise click.UsageError("No data given. Pass --data DIR, --recordings DIR, or both.")
    if data is None and card is not None:
        raise click.UsageError("--card needs --data")
    if data is not None and model_file:
        raise click.UsageError("--model goes with --recordings alone; --data makes a new one")
    from wattribute.core.errors import DataInvalid
    from wattribute.models.training.train import encode

    trained = _fit(data) if data is not None else None
    artefact = trained.artefact if trained is not None else _opened(model_file)
    if recordings is not None:
        taught = _taught(artefact, recordings, accept)
        if taught is None:
            return 1
        artefact = taught
    files = {out: encode(artefact)}
    if card is not None and trained is not None:
        from wattribute.models.training.card import render

        click.echo("the model card's figures", err=True)
        files[card] = render(trained).encode()
    for path, content in files.items():
        try:
            path.write_bytes(content)
        except OSError as exc:
            raise DataInvalid(f"{path}: {exc.strerror}") from exc
        click.echo(f"{path}: {len(content)} bytes")
    return 0


def _fit(data: Path) -> "Trained":
    from wattribute.models.training import train as training

    trained = training.train(data, lambda text: click.echo(text, err=True))
    for name in trained.data.rows.named:
        click.echo(f"left out: {name}", err=True)
    for reason, count in sorted(trained.data.rows.dropped.items()):
        click.echo(f"left out: {count} rows: {reason}", err=True)
    return trained


def _opened(model_file: str) -> "Artefact":
    from wattribute.node.estimates.power_model import read_artefact

    return read_artefact(model_file)


def _taught(artefact: "Artefact", folder: Path, accept: tuple[str, ...]) -> "Artefact | None":
    """The artefact that learned from the folder; None: all are in quarantine."""
    from wattribute.models.training.fleet import learn
    from wattribute.models.training.recordings import read_recordings

    found = read_recordings(folder, accept)
    for line in found.broken:
        click.echo(f"left out: {clean(line)}", err=True)
    if found.waiting:
        _list(artefact, found.waiting)
        click.echo(
            f"{_count(len(found.waiting), 'recording')} in quarantine (% beyond the model); "
            "take them with --accept SHA256 or --accept all",
            err=True,
        )
        if not found.taken:
            return None
    learned = learn(artefact, found.taken)
    click.echo(
        f"learned from {_count(len(found.taken), 'recording')} "
        f"of {_count(len(learned.machines), 'machine')}",
        err=True,
    )
    for gain in learned.gains:
        click.echo(
            f"{gain.scope}: each of {gain.machines} machines predicted from the others: median "
            f"error {gain.before_pct:.1f} % before, {gain.after_pct:.1f} % with recordings"
            + ("" if gain.helps else ": not learned"),
            err=True,
        )
    return learned.artefact


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")


def _list(artefact: "Artefact", read: "tuple[Read, ...]") -> None:
    from wattribute.models.training.fleet import deviation

    rows = []
    for one in read:
        off = deviation(artefact, one.recording)
        rows.append(
            [
                one.digest[:12],
                clean(one.recording.machine.cpu_name)[:44],
                one.recording.how,
                str(len(one.recording.points)),
                *(f"{off[s]:+.0f}" if s in off else "" for s in ("wall", "pkg", "dram")),
            ]
        )
    print_table(_COLUMNS, rows)
