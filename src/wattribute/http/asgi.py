"""The one door to uvicorn: an ASGI application on an address, until SIGTERM or SIGINT."""

import logging
import signal
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import uvicorn

from wattribute.http.listen import bind

if TYPE_CHECKING:
    import socket

    from starlette.types import ASGIApp

_LOG: Final = logging.getLogger(__name__)
_CONNECTIONS: Final = 200
_STOP_S: Final = 3
_KEEP_ALIVE_S: Final = 15


def run(
    app: "ASGIApp", listen: str, what: str, path: str, context: ssl.SSLContext | None = None
) -> None:
    """Serve until a signal.

    Headers of proxies are not believed: who a client is comes from the socket alone.

    Args:
        app: The application.
        listen: ``HOST:PORT``.
        what: For the log: ``statements``.
        path: For the log: where to look first.
        context: TLS.

    Raises:
        ConfigInvalid: the address is wrong.
        ListenFailed: it cannot be listened on.
    """
    config = uvicorn.Config(
        app,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=_CONNECTIONS,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_STOP_S,
    )
    config.load()
    config.ssl = context
    listener: socket.socket = bind(listen)
    scheme = "http" if context is None else "https"
    host, port = listener.getsockname()[:2]
    where = f"[{host}]" if ":" in host else host
    _LOG.info("serving %s at %s://%s:%s%s", what, scheme, where, port, path)
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
