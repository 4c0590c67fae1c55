"""``wattribute model train``: measured data -> the artefact."""

from pathlib import Path

import click


@click.command()
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    required=True,
    help="Folder of CSV files: measured rows, cpu_specs.csv, *instances*.csv.",
)
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="File to write."
)
@click.option(
    "--card",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the model card there too (Markdown).",
)
def train(*, data: Path, out: Path, card: Path | None) -> int:
    """Fit the power model on measured data; the same data give the same bytes.

    Rows that cannot be used are named and counted on standard error. Takes about a minute for a
    thousand systems.
    """
    from wattribute.errors import DataInvalid
    from wattribute.training import train as training

    trained = training.train(data, lambda text: click.echo(text, err=True))
    for name in trained.data.rows.named:
        click.echo(f"left out: {name}", err=True)
    for reason, count in sorted(trained.data.rows.dropped.items()):
        click.echo(f"left out: {count} rows: {reason}", err=True)
    files = {out: training.encode(trained.artefact)}
    if card is not None:
        from wattribute.training.card import render

        click.echo("the model card's figures", err=True)
        files[card] = render(trained).encode()
    for path, content in files.items():
        try:
            path.write_bytes(content)
        except OSError as exc:
            raise DataInvalid(f"{path}: {exc.strerror}") from exc
        click.echo(f"{path}: {len(content)} bytes")
    return 0
