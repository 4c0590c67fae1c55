"""Requests to one web server: one connection kept open, bounded answers, no redirect to elsewhere.

For BMCs and the model server.
The door of ``http.client`` and ``ssl`` for meters: 2.5 MB, imported only where one is configured.
"""

import contextlib
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from wattribute.core.errors import ConfigInvalid, MeterFailed

SILENCE_S: Final = 30.0
"""BMCs take that long for an answer while they boot, or while they scan their sensors."""
ANSWER_S: Final = 60.0
"""A whole answer takes no longer, or is given up."""
LARGEST_BYTES: Final = 1 << 20
"""The largest resource that is read (a Power of many supplies) has some 50 kB."""
_LONGEST_PATH: Final = 1024
_MOST_REDIRECTS: Final = 3
_PIECE: Final = 1 << 16
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_BROKEN: Final = (OSError, http.client.HTTPException, ValueError, AttributeError)
"""What a request can end in; the last two where ``interrupt`` shut it in the middle of a read."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes


@dataclass(frozen=True, slots=True)
class Keys:
    """The settings that say where the server is, and what signs its certificate."""

    url: str
    ca_file: str


_BMC: Final = Keys("meter.redfish_url", "meter.redfish_ca_file")


class Client:
    """One web server."""

    def __init__(self, url: str, ca_file: str, *, insecure: bool, keys: Keys = _BMC) -> None:
        """Nothing is asked yet.

        Args:
            url: ``https://HOST[:PORT]``; a path is ignored, requests have their own.
            ca_file: who signed its certificate; "": the system's authorities.
            insecure: take any certificate, and allow ``http://``.
            keys: named in messages.

        Raises:
            ConfigInvalid: ``url`` is no address, or would send the password in the clear.
        """
        try:
            parts = urlsplit(url if "://" in url else f"https://{url}")
            valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
            valid = valid and "@" not in parts.netloc
        except ValueError:
            valid = False
        if not valid:
            shown = "it" if "@" in url else repr(url)
            raise ConfigInvalid(f"{keys.url}: {shown} is no address; write https://HOST")
        if parts.scheme == "http" and not insecure:
            raise ConfigInvalid(
                f"{keys.url}: {url!r} would send the password in the clear; write https:// "
                "(or set meter.redfish_insecure, on a network that is only yours)"
            )
        self._tls = parts.scheme == "https"
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if self._tls else 80)
        self.url = f"{parts.scheme}://{parts.netloc}"
        self._ca_file = ca_file
        self._insecure = insecure
        self._keys = keys
        self._lock = threading.Lock()
        self._interrupted = False
        self._connection: http.client.HTTPConnection | None = None

    def request(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes | None = None,
        *,
        silence_s: float = SILENCE_S,
    ) -> Answer:
        """Ask, and follow redirects on this host if nothing is sent.

        Args:
            method: GET, POST or DELETE.
            path: of the resource, or its URL on this host.
            headers: beside the usual ones.
            body: JSON.
            silence_s: how long the server may be silent.

        Raises:
            MeterFailed: there was no whole answer.
        """
        for _ in range(_MOST_REDIRECTS + 1):
            path = self.local(path)
            self._go_on(method, f"{self.url}{path}")
            answer = self._ask(method, path, headers, body, silence_s)
            target = answer.headers.get("location", "")
            if method != "GET" or answer.status not in _REDIRECTS or not target:
                return answer
            path = target
        raise MeterFailed(f"{self.url}{path}: redirected too often")

    def local(self, link: str) -> str:
        """The path that a link of this BMC leads to.

        Raises:
            MeterFailed: it leads to another host, or is no link.
        """
        try:
            parts = urlsplit(link)
            port = parts.port or (443 if parts.scheme == "https" else 80)
        except ValueError:
            raise MeterFailed(f"{self.url}: {link[:80]!r} is no link") from None
        elsewhere = (parts.scheme or parts.netloc) and (
            (parts.scheme == "https", parts.hostname, port) != (self._tls, self._host, self._port)
        )
        if elsewhere:
            raise MeterFailed(
                f"{self.url}: redirects to {link[:80]!r}; another host is not followed: "
                f"set {self._keys.url} to the right one"
            )
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        printable = path.isascii() and path.isprintable() and " " not in path
        if not path.startswith("/") or not printable or len(path) > _LONGEST_PATH:
            raise MeterFailed(f"{self.url}: {link[:80]!r} is no link")
        return path

    def interrupt(self) -> None:
        """End the request that is under way, from any thread; later ones fail, but for DELETE."""
        with self._lock:
            self._interrupted = True
            sock = self._connection.sock if self._connection else None
        if sock is not None:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(sock, socket.SHUT_RDWR)  # wakes the thread that reads

    def close(self) -> None:
        """Hang up."""
        with self._lock:
            connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(OSError):
                connection.close()

    def _ask(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes | None,
        silence_s: float,
    ) -> Answer:
        where = f"{self.url}{path}"
        reused = self._connection is not None
        sent = {"Accept": "application/json", "User-Agent": "wattribute", **headers}
        if body is not None:
            sent["Content-Type"] = "application/json"
        try:
            connection = self._connected(silence_s)
            self._go_on(method, where)
            connection.request(method, path, body, sent)
            with connection.getresponse() as response:
                answer = self._whole(where, response)
        except MeterFailed:
            self.close()
            raise
        except _BROKEN as error:
            self.close()
            if reused and method != "POST" and not isinstance(error, TimeoutError):
                return self._ask(method, path, headers, body, silence_s)  # it had hung up on us
            raise MeterFailed(f"{where}: {self._why(error)}") from error
        if response.will_close:
            self.close()
        return answer

    def _go_on(self, method: str, where: str) -> None:
        """After the connection is made too: `interrupt` cannot end one that is not there yet.

        Raises:
            MeterFailed: it was interrupted, and this is not a last word.
        """
        if self._interrupted and method != "DELETE":
            raise MeterFailed(f"{where}: not asked, because the agent ends")

    def _connected(self, silence_s: float) -> http.client.HTTPConnection:
        with self._lock:
            connection = self._connection
        if connection is None:
            if self._tls:
                connection = http.client.HTTPSConnection(
                    self._host, self._port, timeout=silence_s, context=self._context()
                )
            else:
                connection = http.client.HTTPConnection(self._host, self._port, timeout=silence_s)
            with self._lock:
                self._connection = connection
            connection.connect()
        connection.sock.settimeout(silence_s)
        return connection

    def _context(self) -> ssl.SSLContext:
        """Who is trusted; the file is read for each connection, for certificates are replaced."""
        try:
            context = ssl.create_default_context(cafile=self._ca_file or None)
        except OSError as error:
            reason = "no certificate in it" if isinstance(error, ssl.SSLError) else error.strerror
            raise MeterFailed(f"{self._keys.ca_file} {self._ca_file}: {reason}") from error
        # On by default from Python 3.13; BMCs' own certificates often lack what it wants.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        if self._insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context

    def _whole(self, where: str, response: http.client.HTTPResponse) -> Answer:
        """The answer with its body, within bounds of size and time."""
        until_s = time.monotonic() + ANSWER_S
        pieces, size = [], 0
        while piece := response.read1(_PIECE):
            pieces.append(piece)
            size += len(piece)
            if size > LARGEST_BYTES:
                raise MeterFailed(
                    f"{where}: an answer of over {LARGEST_BYTES >> 20} MiB is not read; "
                    "is this the right server?"
                )
            if time.monotonic() > until_s:
                raise MeterFailed(f"{where}: no whole answer in {ANSWER_S:.0f} s; given up")
        if response.length:
            raise MeterFailed(f"{where}: the answer broke off after {size} bytes")
        headers = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, headers, b"".join(pieces))

    def _why(self, error: Exception) -> str:
        if self._interrupted:
            return "given up, because the agent ends"
        if isinstance(error, ssl.SSLCertVerificationError):
            return (
                f"its certificate is not trusted ({error.verify_message}); {self._keys.ca_file} "
                f"({self._ca_file or 'the system certificates'}) must hold what signed it, or "
                "the certificate itself"
            )
        if isinstance(error, TimeoutError):
            return "no answer in time"
        if isinstance(error, OSError) and error.strerror:
            return error.strerror.lower()
        return f"{type(error).__name__} {error}".strip()[:200]


def is_success(status: int) -> bool:
    """2xx."""
    return 200 <= status < 300
