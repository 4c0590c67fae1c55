"""Addresses to listen on: ``127.0.0.1:9102``, ``[::1]:9102``, or ``:9102`` for all interfaces."""

import errno
import ipaddress
import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from wattribute.core.errors import ConfigInvalid, ListenFailed

_ADDRESS: Final = re.compile(r"(?:\[(?P<six>[^\[\]]+)\]|(?P<host>[^:\[\]]*)):(?P<port>\d{1,5})")
_BACKLOG: Final = 128
_FIXES: Final = {
    errno.EADDRINUSE: "another program listens there; stop it, or choose another port with "
    "--listen",
    errno.EACCES: "ports below 1024 need CAP_NET_BIND_SERVICE; choose another port with --listen",
    errno.EADDRNOTAVAIL: "this machine has no such address; choose another with --listen",
}


@dataclass(frozen=True, slots=True)
class Address:
    """A host and a port to listen on."""

    host: str
    """The name or IP address; "" means all addresses of this machine."""
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the address."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    @classmethod
    def of_listener(cls, listener: socket.socket) -> "Address":
        """The address that a socket listens on."""
        host, port = listener.getsockname()[:2]
        return cls(host, port)


def parse_address(text: str) -> Address:
    """Parse an address.

    Raises:
        ConfigInvalid: The text is not HOST:PORT.
    """
    match = _ADDRESS.fullmatch(text)
    if match is None or int(match["port"]) > 65_535:
        raise ConfigInvalid(
            f"{text!r} is not an address to listen on; write HOST:PORT, [IPV6]:PORT or :PORT"
        )
    return Address(match["six"] or match["host"] or "", int(match["port"]))


def is_loopback(listen: Sequence[str]) -> bool:
    """Whether only this machine can reach all of the addresses.

    Raises:
        ConfigInvalid: One of them is not HOST:PORT.
    """
    return all(parse_address(text).is_loopback for text in listen)


def bind(text: str) -> socket.socket:
    """Return a socket that listens on an address and does not block.

    Raises:
        ConfigInvalid: The text is not an address.
        ListenFailed: The address cannot be listened on.
    """
    address = parse_address(text)
    try:
        return _listening(address)
    except OSError as exc:
        fix = _FIXES.get(exc.errno or 0, "choose another with --listen")
        reason = exc.strerror or str(exc)
        raise ListenFailed(f"{text}: {reason.lower()}; {fix}") from exc


def _listening(address: Address) -> socket.socket:
    if not address.host:
        if socket.has_dualstack_ipv6():
            try:
                return _open(socket.AF_INET6, ("::", address.port), dual=True)
            except OSError as exc:  # IPv6 switched off by sysctl
                if exc.errno != errno.EADDRNOTAVAIL:
                    raise
        return _open(socket.AF_INET, ("0.0.0.0", address.port))  # noqa: S104 - asked for by ":PORT"
    family, _, _, _, where = socket.getaddrinfo(
        address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    return _open(family, where)


def _open(family: int, where: tuple[object, ...], *, dual: bool = False) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(not dual))
        listener.bind(where)
        listener.listen(_BACKLOG)
        listener.setblocking(False)  # noqa: FBT003 - the socket module's signature
    except BaseException:
        listener.close()
        raise
    return listener
