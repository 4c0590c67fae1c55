"""Starting the service: who may reach it, and uvicorn."""

import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import uvicorn

from wattribute.errors import ConfigInvalid
from wattribute.exporter.listen import bind, parse_address
from wattribute.modelserver.access import Access
from wattribute.modelserver.app import Service
from wattribute.modelserver.catalogue import Catalogue
from wattribute.modelserver.quarantine import Quarantine

if TYPE_CHECKING:
    import socket

_LOG: Final = logging.getLogger(__name__)
_CONNECTIONS: Final = 200
_STOP_S: Final = 3
_KEEP_ALIVE_S: Final = 15


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
    try:
        config = uvicorn.Config(
            service.app(),
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            limit_concurrency=_CONNECTIONS,
            timeout_keep_alive=_KEEP_ALIVE_S,
            timeout_graceful_shutdown=_STOP_S,
            ssl_certfile=options.tls_cert,
            ssl_keyfile=options.tls_key,
        )
        config.load()
    except OSError as exc:
        raise ConfigInvalid(
            f"--tls-cert {options.tls_cert}, --tls-key {options.tls_key}: {exc.strerror or exc}"
        ) from exc
    listener: socket.socket = bind(options.listen)
    scheme = "https" if options.tls_cert else "http"
    host, port = listener.getsockname()[:2]
    where = f"[{host}]" if ":" in host else host
    _LOG.info("serving power models at %s://%s:%s/api/v1/models", scheme, where, port)
    with listener:
        _Server(config).run(sockets=[listener])


class _Server(uvicorn.Server):
    """Ends with exit code 0 at a signal; uvicorn would let the signal kill it afterwards."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        numbers = (signal.SIGINT, signal.SIGTERM)
        before = [signal.signal(number, self.handle_exit) for number in numbers]
        try:
            yield
        finally:
            for number, handler in zip(numbers, before, strict=True):
                signal.signal(number, handler)
