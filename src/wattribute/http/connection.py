"""One connection to a web server: opened when it is needed, and ended from any thread.

The door to ``http.client`` and, for clients, to ``ssl``: 2.5 MB, so it is imported only where a
setting needs it.
"""

import contextlib
import http.client
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from typing import Final

CONNECT_S: Final = 10.0
_KEEPALIVE: Final = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 30),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
)
"""A server that vanished without a word is noticed in a minute."""
BROKEN: Final = (OSError, http.client.HTTPException, ValueError, AttributeError)
"""What a request can end in; the last two where `interrupt` shut it in the middle of a read."""


class Connection:
    """At most one connection to one host and port."""

    def __init__(self, host: str, port: int, context: Callable[[], ssl.SSLContext] | None) -> None:
        """Nothing is opened yet; ``context`` is called for each TLS connection, None is no TLS."""
        self._host, self._port = host, port
        self._context = context
        self._lock = threading.Lock()
        self._connection: http.client.HTTPConnection | None = None
        self._socket: socket.socket | None = None
        """Kept apart, because `http.client` lets go of it when the server will close."""

    @property
    def is_open(self) -> bool:
        """Whether there is a connection; the server may have ended it since."""
        return self._connection is not None

    def open(self, silence_s: float) -> None:
        """Connect, unless there is a connection.

        Raises:
            OSError: There is no connection, or the server's certificate is not trusted.
        """
        if self._connection is None:
            connect_s = min(CONNECT_S, silence_s)
            connection = http.client.HTTPConnection(self._host, self._port, timeout=connect_s)
            if self._context is not None:
                connection = http.client.HTTPSConnection(
                    self._host, self._port, timeout=connect_s, context=self._context()
                )
            connection.connect()
            for level, option, value in _KEEPALIVE:
                connection.sock.setsockopt(level, option, value)
            with self._lock:
                self._connection, self._socket = connection, connection.sock
        self.wait_at_most(silence_s)

    def wait_at_most(self, silence_s: float) -> None:
        """Let reads and writes fail after a silence of so many seconds."""
        with self._lock:
            if self._socket is not None:
                self._socket.settimeout(silence_s)

    def send(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> http.client.HTTPResponse:
        """Send a request over the open connection; its answer, with the body unread.

        Raises:
            BROKEN: The request or its answer broke off.
        """
        connection = self._connection
        if connection is None:
            raise OSError("not connected")
        connection.request(method, path, body, dict(headers))
        return connection.getresponse()

    def interrupt(self) -> None:
        """End what is sent or read now, from any thread."""
        with self._lock:
            sock = self._socket
        if sock is not None:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(sock, socket.SHUT_RDWR)  # wakes the thread that reads

    def close(self) -> None:
        """Close the connection, if there is one."""
        with self._lock:
            connection, self._connection, self._socket = self._connection, None, None
        if connection is not None:
            with contextlib.suppress(OSError):
                connection.close()
