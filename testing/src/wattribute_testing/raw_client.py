"""An HTTP client that sends what it is told and shows what the server sent."""

import socket
from typing import Final, Protocol


class Address(Protocol):
    """The place where a server listens, as `wattribute.http.listen.Address` has it."""

    @property
    def host(self) -> str:
        """The IP address; ``0.0.0.0`` and ``::`` mean all of this machine."""
        ...

    @property
    def port(self) -> int:
        """The port that it listens on."""
        ...


class RawClient:
    """One connection to a server, on which requests are sent as lines."""

    def __init__(self, address: Address) -> None:
        """Connect.

        Raises:
            OSError: Nobody listens there.
        """
        host = {"::": "::1", "0.0.0.0": "127.0.0.1"}.get(address.host, address.host)  # noqa: S104
        self.socket: Final = socket.create_connection((host, address.port), timeout=20)
        self._stream = self.socket.makefile("rb")

    def send(self, *lines: str, path: str = "/metrics", method: str = "GET") -> None:
        """Send a request with these header lines."""
        head = (f"{method} {path} HTTP/1.1", "Host: x", *lines, "", "")
        self.socket.sendall("\r\n".join(head).encode())

    def receive(self, *, body: bool = True) -> tuple[int, dict[str, str], bytes]:
        """Return the status, the headers by name in lower case, and the body of an answer."""
        status = int(self._stream.readline().split()[1])
        headers: dict[str, str] = {}
        while line := self._stream.readline().rstrip(b"\r\n"):
            name, _, value = line.decode().partition(": ")
            headers[name.lower()] = value
        length = int(headers["content-length"]) if body else 0
        return status, headers, self._stream.read(length)

    def get(self, path: str, *lines: str) -> tuple[int, dict[str, str], bytes]:
        """Send a request and return its answer, as `receive` does."""
        self.send(*lines, path=path)
        return self.receive()

    def at_end(self) -> bool:
        """Wait for the next byte or the end; whether it is the end of the connection."""
        try:
            return self._stream.read(1) == b""
        except ConnectionResetError:
            return True

    def close(self) -> None:
        """Close the connection."""
        self._stream.close()
        self.socket.close()
