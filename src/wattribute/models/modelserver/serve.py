"""Starts the model server, and decides who may reach it."""

import ssl
from dataclasses import dataclass
from pathlib import Path

from wattribute.core.errors import ConfigInvalid
from wattribute.http.access import Access
from wattribute.http.asgi import run
from wattribute.http.listen import is_loopback
from wattribute.http.tls import server_context
from wattribute.models.modelserver.app import POSTING_TOKEN, ModelService
from wattribute.models.modelserver.catalogue import Catalogue
from wattribute.models.modelserver.quarantine import Quarantine
from wattribute.models.modelserver.weights import WeightCatalogue


@dataclass(frozen=True, slots=True)
class Options:
    """The options of the model server."""

    listen: str = "127.0.0.1:8100"
    models: Path | None = None
    quarantine: Path | None = None
    most_recordings: int = 1000
    token_file: Path | None = None
    """The token for posting, which is good for reading as well."""
    read_token_file: Path | None = None
    open_reads: bool = False
    """Whether all who can reach the address may read models; Kepler sends no token."""
    tls_cert: Path | None = None
    tls_key: Path | None = None


def make_service(options: Options) -> ModelService:
    """The service with these options.

    Raises:
        ConfigInvalid: An option is wrong, or strangers could do more than was said.
    """
    loopback = is_loopback((options.listen,))
    if not loopback and not options.open_reads and not _token_files(options):
        raise ConfigInvalid(
            f"--listen {options.listen}: not only this machine can reach it; give --token-file or "
            "--read-token-file, or --open-reads if all may read the models"
        )
    if options.quarantine is not None and options.token_file is None:
        raise ConfigInvalid("--quarantine: recordings are taken only with --token-file")
    access = Access(tls=_tls(options), tokens=_token_files(options))
    quarantine = (
        Quarantine(options.quarantine, options.most_recordings) if options.quarantine else None
    )
    open_reads = options.open_reads or (loopback and options.read_token_file is None)
    catalogue, weights = Catalogue(options.models), WeightCatalogue(options.models)
    return ModelService(catalogue, weights, quarantine, access, open_reads=open_reads)


def serve(options: Options) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        ConfigInvalid: As `make_service`.
        ListenFailed: The address cannot be listened on.
    """
    service = make_service(options)
    run(service.app(), options.listen, "power models", "/api/v1/models", service.access.tls)


def _token_files(options: Options) -> dict[str, Path]:
    """The token files that are given, by the options that name them."""
    files = {POSTING_TOKEN: options.token_file, "--read-token-file": options.read_token_file}
    return {option: path for option, path in files.items() if path is not None}


def _tls(options: Options) -> ssl.SSLContext | None:
    if options.tls_cert is None and options.tls_key is None:
        return None
    if options.tls_cert is None or options.tls_key is None:
        raise ConfigInvalid("--tls-cert and --tls-key go together")
    return server_context(options.tls_cert, options.tls_key, ("--tls-cert", "--tls-key"))
