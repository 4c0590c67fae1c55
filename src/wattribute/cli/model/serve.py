"""``wattribute model serve``: the model server."""

from pathlib import Path
from typing import Final

import click

from wattribute.cli.options import with_settings
from wattribute.core.errors import ConfigInvalid
from wattribute.settings import Settings

_FILE: Final = click.Path(path_type=Path, dir_okay=False)
_FOLDER: Final = click.Path(path_type=Path, file_okay=False)


@click.command()
@click.option(
    "--listen",
    default="127.0.0.1:8100",
    show_default=True,
    metavar="HOST:PORT",
    help="Address to serve at. All but loopback need a token, or --open-reads.",
)
@click.option(
    "--models",
    type=_FOLDER,
    help="Folder with model files (*.json and *.json.sig); read again every 5 s.",
)
@click.option(
    "--quarantine", type=_FOLDER, help="Folder for recordings that agents post; needs a token."
)
@click.option(
    "--most-recordings",
    type=click.IntRange(min=1),
    default=1000,
    show_default=True,
    help="Accept at most this many recordings into the quarantine folder.",
)
@click.option("--token-file", type=_FILE, help="File with the token for posting and reading.")
@click.option("--read-token-file", type=_FILE, help="File with the token for reading only.")
@click.option(
    "--open-reads",
    is_flag=True,
    help="Allow reading without a token, which Kepler needs.",
)
@click.option("--tls-cert", type=_FILE, help="Certificate (PEM) to serve https.")
@click.option("--tls-key", type=_FILE, help="Key (PEM) of the certificate.")
@with_settings("--log-level", "--log-format")
def serve(
    *,
    settings: Settings,
    listen: str,
    models: Path | None,
    quarantine: Path | None,
    most_recordings: int,
    token_file: Path | None,
    read_token_file: Path | None,
    open_reads: bool,
    tls_cert: Path | None,
    tls_key: Path | None,
) -> int:
    """Serve power models to agents, and accept recordings into a quarantine folder.

    On this machine alone:

      wattribute model serve --models models/

    For a fleet:

      wattribute model serve --listen :8100 --models models/ --quarantine posted/
      --token-file write.token --read-token-file read.token

    Start agents with `wattribute agent --model-server http://HOST:8100`, and set estimator.sha256
    or estimator.public_key. Kepler up to 0.9 can use POST /model and GET /best-models.

    Exit code: 0 after a signal; 2 if an option is wrong; 5 if the address cannot be used.
    """
    from wattribute.cli.log import configure

    try:
        from wattribute.models.modelserver import serve as house
    except ModuleNotFoundError as exc:
        raise ConfigInvalid(
            f"model serve needs wattribute[modelserver] ({exc.name} is not installed); "
            "in a clone: make setup-all"
        ) from exc
    configure(settings.log)
    house.serve(
        house.Options(
            listen=listen,
            models=models,
            quarantine=quarantine,
            most_recordings=most_recordings,
            token_file=token_file,
            read_token_file=read_token_file,
            open_reads=open_reads,
            tls_cert=tls_cert,
            tls_key=tls_key,
        )
    )
    return 0
