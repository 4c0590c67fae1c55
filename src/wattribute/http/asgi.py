"""Runs an ASGI application on an address until SIGTERM or SIGINT.

Only this module imports uvicorn.
"""

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
    app: "ASGIApp", listen: str, content: str, path: str, context: ssl.SSLContext | None = None
) -> None:
    """Serve until a signal.

    Headers of proxies are ignored: a client's address is always that of its connection.

    Args:
        app: The application.
        listen: The address, ``HOST:PORT``.
        content: What is served, for the log: ``statements``.
        path: The path to look at first, for the log.
        context: The TLS context; None serves without TLS.

    Raises:
        ConfigInvalid: The address is wrong.
        ListenFailed: The address cannot be listened on.
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
    _LOG.info("serving %s at %s://%s:%s%s", content, scheme, where, port, path)
    with listener:
        _Server(config).run(sockets=[listener])


class _Server(uvicorn.Server):
    """A server that returns at a signal, so that the program exits with code 0.

    uvicorn's own raises the signal again after it stopped, which kills the program.
    """

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        numbers = (signal.SIGINT, signal.SIGTERM)
        before = [signal.signal(number, self.handle_exit) for number in numbers]
        try:
            yield
        finally:
            for number, handler in zip(numbers, before, strict=True):
                signal.signal(number, handler)
