"""A connection to a web server that opens on demand and can be ended from any thread.

This module imports ``http.client`` and ``ssl``, which take 2.5 MB. So it is imported only where a
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
"""Notices within a minute that a server is gone, even if it did not close the connection."""
BROKEN: Final = (OSError, http.client.HTTPException, ValueError, AttributeError)
"""The errors of a request. The last two come from a read that `interrupt` ended."""


class Connection:
    """A connection to one host and port, opened again when it broke."""

    def __init__(self, host: str, port: int, context: Callable[[], ssl.SSLContext] | None) -> None:
        """Open nothing yet.

        Args:
            host: The server's name or address.
            port: Its port.
            context: Called for each new connection to make its TLS context; None is no TLS.
        """
        self._host, self._port = host, port
        self._context = context
        self._lock = threading.Lock()
        self._connection: http.client.HTTPConnection | None = None
        self._socket: socket.socket | None = None
        """The socket, kept because `http.client` drops it when the server will close."""

    @property
    def is_open(self) -> bool:
        """Whether there is a connection. The server may have closed it since."""
        return self._connection is not None

    def open(self, silence_s: float) -> None:
        """Connect if there is no connection, and set the longest silence in seconds.

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
        """Let reads and writes fail after ``silence_s`` seconds of silence."""
        with self._lock:
            if self._socket is not None:
                self._socket.settimeout(silence_s)

    def send(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> http.client.HTTPResponse:
        """Send a request over the open connection and return the answer, with its body unread.

        Raises:
            BROKEN: The request or its answer broke off.
        """
        connection = self._connection
        if connection is None:
            raise OSError("not connected")
        connection.request(method, path, body, dict(headers))
        return connection.getresponse()

    def interrupt(self) -> None:
        """End the current read or write, from any thread."""
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
