"""Starting the service: who may reach it."""

import ssl
from dataclasses import dataclass
from pathlib import Path

from wattribute.core.errors import ConfigInvalid
from wattribute.http.asgi import run
from wattribute.http.listen import parse_address
from wattribute.models.modelserver.access import Access
from wattribute.models.modelserver.app import Service
from wattribute.models.modelserver.catalogue import Catalogue
from wattribute.models.modelserver.quarantine import Quarantine


@dataclass(frozen=True, slots=True)
class Options:
    """How the service is started."""

    listen: str = "127.0.0.1:8100"
    models: Path | None = None
    quarantine: Path | None = None
    most_recordings: int = 1000
    token_file: Path | None = None
    """For posting, and for reading."""
    read_token_file: Path | None = None
    open_reads: bool = False
    """Models are for all who can reach the address: Kepler sends no token."""
    tls_cert: Path | None = None
    tls_key: Path | None = None


def make_service(options: Options) -> Service:
    """The service, checked.

    Raises:
        ConfigInvalid: an option is wrong, or strangers could do more than was said.
    """
    loopback = parse_address(options.listen).is_loopback
    tokens = options.token_file or options.read_token_file
    if not loopback and not tokens and not options.open_reads:
        raise ConfigInvalid(
            f"--listen {options.listen}: not only this machine can reach it; give --token-file or "
            "--read-token-file, or --open-reads if all may read the models"
        )
    if options.quarantine is not None and options.token_file is None:
        raise ConfigInvalid("--quarantine: recordings are taken only with --token-file")
    if (options.tls_cert is None) != (options.tls_key is None):
        raise ConfigInvalid("--tls-cert and --tls-key go together")
    access = Access(
        options.token_file,
        options.read_token_file,
        open_reads=options.open_reads or (loopback and options.read_token_file is None),
    )
    quarantine = (
        Quarantine(options.quarantine, options.most_recordings) if options.quarantine else None
    )
    return Service(Catalogue(options.models), quarantine, access)


def serve(options: Options) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        ConfigInvalid: as `make_service`.
        ListenFailed: the address cannot be listened on.
    """
    service = make_service(options)
    context = None
    if options.tls_cert is not None and options.tls_key is not None:
        context = _tls(options.tls_cert, options.tls_key)
    run(service.app(), options.listen, "power models", "/api/v1/models", context)


def _tls(cert: Path, key: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(cert, key)
    except OSError as exc:
        raise ConfigInvalid(f"--tls-cert {cert}, --tls-key {key}: {exc.strerror or exc}") from exc
    return context
