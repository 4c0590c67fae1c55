"""The HTTP server of the agent and of the scaler, with a limit on connections and on waiting.

One thread accepts connections, and each connection has a thread of its own. So a slow client or a
TLS handshake delays nobody else. When the limit is reached, the connection that has been idle the
longest is closed for the new one.
"""

import contextlib
import logging
import selectors
import socket
import threading
import time
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Final

from wattribute.http.listen import Address, bind
from wattribute.http.message import (
    MAX_HEAD_BYTES,
    HttpRequest,
    RequestRefused,
    Response,
    head_of,
    parse,
)

_LOG: Final = logging.getLogger(__name__)

MAX_CONNECTIONS: Final = 64
HANDSHAKE_S: Final = 5.0
HEAD_S: Final = 10.0
"""Seconds for a whole request head, from its first byte on."""
SEND_S: Final = 30.0
"""Seconds for sending a whole answer."""
IDLE_S: Final = 150.0
"""Seconds between requests of one connection; longer than the usual scrape intervals."""
_END: Final = b"\r\n\r\n"


class Server:
    """An HTTP server on one or more addresses."""

    def __init__(
        self,
        listen: Sequence[str],
        handle: Callable[[HttpRequest], Response],
        secured: Callable[[socket.socket], socket.socket],
        *,
        max_connections: int = MAX_CONNECTIONS,
    ) -> None:
        """Take the settings; `start` listens.

        Args:
            listen: The addresses, ``HOST:PORT``.
            handle: Makes the answer to a request. It runs in the thread of the connection.
            secured: Makes the TLS handshake of a connection, in the same thread.
            max_connections: The largest number of open connections.
        """
        self._listen = tuple(listen)
        self._handle = handle
        self._secured = secured
        self._max_connections = max_connections
        self._listeners: list[socket.socket] = []
        self._addresses: tuple[Address, ...] = ()
        self._lock = threading.Lock()
        self._connections: dict[_Connection, threading.Thread] = {}
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._wake: socket.socket | None = None

    @property
    def addresses(self) -> tuple[Address, ...]:
        """The addresses that it listens on, with ports of 0 filled in."""
        return self._addresses

    @property
    def open_connections(self) -> int:
        """The number of open connections."""
        with self._lock:
            return len(self._connections)

    @property
    def idle_connections(self) -> int:
        """The number of connections that wait for a request."""
        with self._lock:
            return sum(connection.idle_since is not None for connection in self._connections)

    def start(self) -> None:
        """Listen on all addresses, then accept in a thread.

        Raises:
            ListenFailed: An address cannot be listened on. Then no address is.
        """
        try:
            for address in dict.fromkeys(self._listen):
                self._listeners.append(bind(address))
        except BaseException:
            self._close_listeners()
            raise
        self._addresses = tuple(Address.of_listener(listener) for listener in self._listeners)
        woken, self._wake = socket.socketpair()
        self._thread = threading.Thread(
            target=self._accept, args=(woken,), name="http", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Close all connections at once, even in the middle of an answer."""
        self._stopping.set()
        if self._wake is not None:
            self._wake.close()
        if self._thread is not None:
            self._thread.join()
        self._close_listeners()
        with self._lock:
            open_now = tuple(self._connections.items())
        for connection, _ in open_now:
            connection.cut()
        for _, thread in open_now:
            thread.join(timeout=1.0)

    def _close_listeners(self) -> None:
        for listener in self._listeners:
            listener.close()

    def _accept(self, woken: socket.socket) -> None:
        with woken, selectors.DefaultSelector() as selector:
            selector.register(woken, selectors.EVENT_READ)
            for listener in self._listeners:
                selector.register(listener, selectors.EVENT_READ)
            while not self._stopping.is_set():
                for key, _ in selector.select():
                    if isinstance(key.fileobj, socket.socket) and key.fileobj in self._listeners:
                        self._accept_one(key.fileobj)

    def _accept_one(self, listener: socket.socket) -> None:
        try:
            client, _ = listener.accept()
        except (BlockingIOError, ConnectionError, TimeoutError):
            return
        except OSError as exc:
            _LOG.warning("accept: %s; raise the limit of open files", exc)
            self._stopping.wait(0.5)
            return
        if not self._make_room():
            with client, contextlib.suppress(OSError):
                client.settimeout(0)
                client.send(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
            return
        connection = _Connection(client, self._handle, self._secured)
        thread = threading.Thread(
            target=self._run, args=(connection,), name="http-client", daemon=True
        )
        with self._lock:
            self._connections[connection] = thread
        thread.start()

    def _make_room(self) -> bool:
        """Close an idle connection if the limit is reached; False if none is idle."""
        with self._lock:
            if len(self._connections) < self._max_connections:
                return True
            idle = [c for c in self._connections if c.idle_since is not None]
            if not idle:
                return False
            longest = min(idle, key=lambda connection: connection.idle_since or 0.0)
            del self._connections[longest]
        longest.cut()
        return True

    def _run(self, connection: "_Connection") -> None:
        try:
            connection.serve()
        except (OSError, ValueError) as exc:
            # A client that went away, was too slow or does not speak TLS; ValueError: closed by us.
            _LOG.debug("client: %s", exc)
        finally:
            connection.close()
            with self._lock:
                self._connections.pop(connection, None)


class _Connection:
    """The connection of a client."""

    def __init__(
        self,
        client: socket.socket,
        handle: Callable[[HttpRequest], Response],
        secured: Callable[[socket.socket], socket.socket],
    ) -> None:
        self._socket = client
        self._handle = handle
        self._secured = secured
        self._buffer = b""
        self.idle_since: float | None = None

    def serve(self) -> None:
        """Answer requests until the client closes the connection or is silent for too long."""
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.settimeout(HANDSHAKE_S)
        self._socket = self._secured(self._socket)
        while self._serve_one():
            pass

    def _serve_one(self) -> bool:
        try:
            head = self._read_head()
            if head is None:
                return False
            request = parse(head)
            response = self._answer(request)
        except RequestRefused as exc:
            request = HttpRequest("GET", "/", keep_alive=False)
            response = Response(exc.status, f"{exc}\n".encode())
        except TimeoutError:
            request = HttpRequest("GET", "/", keep_alive=False)
            response = Response(HTTPStatus.REQUEST_TIMEOUT, b"too slow\n")
        self._send(request, response)
        return request.keep_alive

    def _answer(self, request: HttpRequest) -> Response:
        """The answer to a request, also where our own code fails."""
        try:
            return self._handle(request)
        except Exception:  # noqa: BLE001 - a bug must not leave the client without an answer
            _LOG.exception("no answer to %s %s", request.method, request.path)
            return Response(HTTPStatus.INTERNAL_SERVER_ERROR, b"failed; the log says why\n")

    def _read_head(self) -> bytes | None:
        """Read the next request's head; None if the client closed the connection before it."""
        if not self._buffer:
            self.idle_since = time.monotonic()
            self._socket.settimeout(IDLE_S)
            with contextlib.suppress(TimeoutError):
                self._buffer = self._socket.recv(MAX_HEAD_BYTES)
            self.idle_since = None
            if not self._buffer:
                return None
        deadline = time.monotonic() + HEAD_S
        while _END not in self._buffer:
            if len(self._buffer) >= MAX_HEAD_BYTES:
                raise RequestRefused(
                    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "the request is too long"
                )
            self._socket.settimeout(max(0.001, deadline - time.monotonic()))
            more = self._socket.recv(MAX_HEAD_BYTES)
            if not more:
                return None
            self._buffer += more
        head, _, self._buffer = self._buffer.partition(_END)
        return head

    def _send(self, request: HttpRequest, response: Response) -> None:
        self._socket.settimeout(SEND_S)
        head = head_of(response, keep_alive=request.keep_alive)
        if request.method == "HEAD":
            self._socket.sendall(head)
        elif len(response.body) < MAX_HEAD_BYTES:
            self._socket.sendall(head + response.body)
        else:
            self._socket.sendall(head)
            self._socket.sendall(response.body)

    def cut(self) -> None:
        """End the connection from another thread."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the socket."""
        with contextlib.suppress(OSError):
            self._socket.close()
