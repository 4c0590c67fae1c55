"""``wattribute weights import``: a file of pooled weights into the folder of a model server."""

from pathlib import Path

import click

from wattribute.cli.weights.document import read_document
from wattribute.core.errors import ConfigInvalid
from wattribute.core.files import write_whole
from wattribute.models.modelserver.weights import WEIGHTS_ENDING


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--into",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="Folder of `wattribute model serve --models`.",
)
def import_weights(*, file: Path, into: Path) -> int:
    """Check a file of pooled weights, and put it where a model server serves it.

    It becomes INTO/CPU.weights.json, in place of an earlier one of that CPU. The signature
    FILE.sig goes along; an old one is removed.

    Exit code: 0; 2 if INTO cannot be written; 5 if the file is no pooled weights.
    """
    data, weights = read_document(file)
    target = into / f"{weights.cpu}{WEIGHTS_ENDING}"
    signed, signature = (path.with_name(path.name + ".sig") for path in (file, target))
    try:
        signature.unlink(missing_ok=True)
        write_whole(target, data)
        if signed.exists():
            write_whole(signature, signed.read_bytes())
    except OSError as exc:
        raise ConfigInvalid(f"--into {into}: cannot be written: {exc.strerror}") from exc
    click.echo(f"{target}: written{'' if signed.exists() else ', without a signature'}")
    return 0
