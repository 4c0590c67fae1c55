"""The HTTP client of the agent and ``top``, for one web server.

It keeps one connection open, limits the size and the time of answers, and does not follow
redirects to another host. Programs that have httpx use `httpx_client`.
"""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from wattribute.core.errors import ConfigInvalid, SourceDenied, SourceFailed
from wattribute.http.answer import Answer, Stream, body_of, reason_of
from wattribute.http.connection import BROKEN, Connection
from wattribute.http.tls import client_context

if TYPE_CHECKING:
    from http.client import HTTPResponse

SILENCE_S: Final = 30.0
"""The longest silence. BMCs need that long while they boot, or while they scan their sensors."""
ANSWER_S: Final = 60.0
"""A whole answer takes no longer, or is given up."""
LARGEST_BYTES: Final = 1 << 20
_LONGEST_PATH: Final = 1024
_MOST_REDIRECTS: Final = 3
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True, slots=True)
class Keys:
    """The settings or options that error messages name."""

    url: str
    """The setting of the server's address."""
    ca_file: str = ""
    """The setting of the file with trusted certificates."""


class HttpClient:
    """A client of one web server.

    One thread sends requests; any thread may call `interrupt`.
    """

    def __init__(
        self,
        url: str,
        keys: Keys,
        *,
        ca_file: str = "",
        insecure: bool = False,
        port: int | None = None,
        largest_bytes: int = LARGEST_BYTES,
        answer_s: float = ANSWER_S,
    ) -> None:
        """Create a client without a connection.

        Args:
            url: The server's address, ``http://`` or ``https://HOST[:PORT]``. Its path becomes
                `prefix`; requests have paths of their own.
            keys: The settings that messages name.
            ca_file: A file with the certificates that are trusted; "" takes the system's.
            insecure: Whether any certificate is accepted.
            port: The port if the URL names none; None takes that of the scheme.
            largest_bytes: The largest answer that is read.
            answer_s: The longest time that a whole answer may take, in seconds.

        Raises:
            ConfigInvalid: ``url`` is not an address.
        """
        try:
            parts = urlsplit(url)
            valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
            valid = valid and "@" not in parts.netloc  # a password there would be in messages
        except ValueError:
            valid = False
        if not valid:
            quoted = "it" if "@" in url else repr(url)
            raise ConfigInvalid(f"{keys.url}: {quoted} is not an address; write https://HOST:PORT")
        self.is_tls = parts.scheme == "https"
        self.url = f"{parts.scheme}://{parts.netloc}"
        """The address without its path."""
        self.prefix = parts.path.rstrip("/")
        """The path of the address."""
        self._host = parts.hostname or ""
        self._port = parts.port or port or (443 if self.is_tls else 80)
        self._keys = keys
        self._ca_file, self._insecure = ca_file, insecure
        self._largest_bytes, self._answer_s = largest_bytes, answer_s
        self._interrupted = False
        context = self._context if self.is_tls else None
        self._connection = Connection(self._host, self._port, context)

    def request(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        *,
        silence_s: float = SILENCE_S,
    ) -> Answer:
        """Send a request and return the answer. A GET follows redirects on this host.

        Args:
            method: GET, PUT, POST or DELETE.
            path: The path of the resource, or its URL on this host.
            headers: Headers that are added to the usual ones, or replace them.
            body: The body, which is JSON.
            silence_s: The longest silence of the server, in seconds.

        Raises:
            SourceDenied: The server's certificate is not trusted.
            SourceFailed: There was no whole answer.
        """
        for _ in range(_MOST_REDIRECTS + 1):
            path = self.local(path)
            response = self._begin(method, path, headers or {}, body, silence_s)
            answer = self._whole(method, path, response)
            target = answer.headers.get("location", "")
            if method != "GET" or answer.status not in _REDIRECTS or not target:
                return answer
            path = target
        raise SourceFailed(f"{self._where(path)}: redirected too often")

    def stream(self, path: str, headers: Mapping[str, str], silence_s: float) -> Stream | Answer:
        """Return an answer without an end, to be read until `close`.

        An answer whose status is not 200 is returned whole.

        Args:
            path: The path of the resource.
            headers: Headers that are added to the usual ones.
            silence_s: The longest silence of the server, in seconds.

        Raises:
            SourceDenied: The server's certificate is not trusted.
            SourceFailed: There was no answer.
        """
        response = self._begin("GET", self.local(path), headers, None, self._answer_s)
        if response.status != HTTPStatus.OK:
            return self._whole("GET", path, response)
        self._connection.wait_at_most(silence_s)
        return Stream(self._where(path), response)

    def local(self, link: str) -> str:
        """Return the path that a link of this server leads to.

        Raises:
            SourceFailed: It leads to another host, or is not a link.
        """
        try:
            parts = urlsplit(link)
            port = parts.port or (443 if parts.scheme == "https" else 80)
        except ValueError:
            raise SourceFailed(f"{self.url}: {link[:80]!r} is not a link") from None
        elsewhere = (parts.scheme or parts.netloc) and (
            (parts.scheme == "https", parts.hostname, port) != (self.is_tls, self._host, self._port)
        )
        if elsewhere:
            raise SourceFailed(
                f"{self.url}: redirects to {link[:80]!r}; another host is not followed: "
                f"set {self._keys.url} to the right one"
            )
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        printable = path.isascii() and path.isprintable() and " " not in path
        if not path.startswith("/") or not printable or len(path) > _LONGEST_PATH:
            raise SourceFailed(f"{self.url}: {link[:80]!r} is not a link")
        return path

    def interrupt(self) -> None:
        """End the current request, from any thread. Later requests fail, except for DELETE."""
        self._interrupted = True
        self._connection.interrupt()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _begin(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes | None,
        silence_s: float,
    ) -> "HTTPResponse":
        """Send a request and return the answer, with its body unread."""
        self._check_interrupted(method, path)
        reused = self._connection.is_open
        all_headers = {"Accept": "application/json", "User-Agent": "wattribute", **headers}
        if body is not None:
            all_headers["Content-Type"] = "application/json"
        try:
            self._connection.open(silence_s)
            # Again, because `interrupt` cannot end a connection that is not there yet.
            self._check_interrupted(method, path)
            return self._connection.send(method, path, body, all_headers)
        except SourceFailed:
            self.close()
            raise
        except BROKEN as error:
            self.close()
            if reused and method != "POST" and not isinstance(error, TimeoutError):
                return self._begin(method, path, headers, body, silence_s)  # it had hung up on us
            raise self._failure(path, error) from error

    def _where(self, path: str) -> str:
        """The URL for messages, without the query, which may be long or hold a secret."""
        return f"{self.url}{path.partition('?')[0]}"

    def _check_interrupted(self, method: str, path: str) -> None:
        if self._interrupted and method != "DELETE":
            raise SourceFailed(f"{self._where(path)}: given up, because this program ends")

    def _context(self) -> ssl.SSLContext:
        """The TLS context of a new connection; files are read again, because they are renewed."""
        try:
            context = client_context(self._ca_file, self._keys.ca_file)
        except ConfigInvalid as error:
            raise SourceFailed(str(error)) from error
        # On by default from Python 3.13; BMCs' and clusters' certificates often lack what it wants.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        if self._insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context

    def _whole(self, method: str, path: str, response: "HTTPResponse") -> Answer:
        """The answer with its whole body, within the limits of size and time."""
        try:
            with response:
                body = body_of(response, self._where(path), self._largest_bytes, self._answer_s)
            self._check_interrupted(method, path)  # which can look like the end of the body
        except SourceFailed:
            self.close()
            raise
        except BROKEN as error:
            self.close()
            raise self._failure(path, error, "the answer broke off: ") from error
        if response.will_close:
            self.close()
        headers = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, headers, body)

    def _failure(self, path: str, error: Exception, stage: str = "") -> SourceFailed:
        where = self._where(path)
        if self._interrupted:
            return SourceFailed(f"{where}: given up, because this program ends")
        if isinstance(error, ssl.SSLCertVerificationError):
            return SourceDenied(
                f"{where}: its certificate is not trusted ({error.verify_message}); "
                f"{self._keys.ca_file} ({self._ca_file or 'the system certificates'}) must hold "
                "what signed it, or the certificate itself"
            )
        return SourceFailed(f"{where}: {stage}{reason_of(error)}")
