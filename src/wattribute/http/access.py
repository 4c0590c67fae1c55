"""Who may see what: the web-config as it is now, and what is shown to strangers."""

import logging
import socket
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wattribute.core.errors import ConfigInvalid
from wattribute.http.credentials import Credentials
from wattribute.http.listen import parse_address
from wattribute.http.web_config import WebConfig, files_of, load

if TYPE_CHECKING:
    import ssl

_LOG: Final = logging.getLogger(__name__)
_LOOK_S: Final = 1.0
"""Time between looks at the files; 0.1 ms each."""
SAFE_INTERVAL_S: Final = 1.0
"""Energy counters read faster than this by strangers are a side channel: PLATYPUS (Lipp et al.,
2021) recovers keys from RAPL at 20 ms, and needs far longer as the readings get coarser."""


def is_loopback(listen: Sequence[str]) -> bool:
    """Whether only this machine can reach all of the addresses."""
    return all(parse_address(text).is_loopback for text in listen)


class Access:
    """The web-config, read again when one of its files changes.

    A change that is not valid is logged once, and what was there before stays.
    """

    def __init__(self, listen: Sequence[str], web_config: str, interval_s: float) -> None:
        """``web_config``: path, or "" for none; ``interval_s``: of the monitor.

        Raises:
            ConfigInvalid: off loopback, without authentication, faster than 1 s; or an
                address or the web-config is wrong.
        """
        self._path = Path(web_config) if web_config else None
        self._off_loopback = not is_loopback(listen)
        self._needs_auth = self._off_loopback and interval_s < SAFE_INTERVAL_S
        self._where = ", ".join(listen)
        self._interval_s = interval_s
        self._lock = threading.Lock()
        self._config = WebConfig()
        self._tls: ssl.SSLContext | None = None
        self._credentials: Credentials | None = None
        self._files: Sequence[Path] = ()
        self._stamps: Sequence[object] = ()
        self._looked_s = time.monotonic()
        self._load()

    @property
    def shows_processes(self) -> bool:
        """Whether names and energy of single processes may be shown."""
        return not self._off_loopback or self._config.authenticates

    @property
    def is_tls(self) -> bool:
        """Whether clients must speak TLS."""
        return self._tls is not None

    @property
    def tls(self) -> "ssl.SSLContext | None":
        """As the web-config says."""
        return self._tls

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """Headers of every answer."""
        return tuple(self._config.http_server_config.headers.items())

    def secured(self, client: socket.socket) -> socket.socket:
        """A new connection, after the TLS handshake where TLS is set; takes ``client`` over.

        Raises:
            OSError: no TLS, not in time, or not a certificate that we let in.
        """
        self._look()
        context, tls = self._tls, self._config.tls_server_config
        if context is None or tls is None:
            return client
        from wattribute.http.tls import has_one_of  # noqa: PLC0415 - ssl is 4 MB

        secured = context.wrap_socket(client, server_side=True, do_handshake_on_connect=False)
        try:
            secured.do_handshake()
        except BaseException:
            secured.close()
            raise
        if tls.client_allowed_sans and not has_one_of(secured, tls.client_allowed_sans):
            secured.close()
            raise ConnectionRefusedError("none of client_allowed_sans is in the certificate")
        return secured

    def allows(self, authorization: str) -> bool:
        """Whether these credentials may read; the header may be empty."""
        self._look()
        credentials = self._credentials
        return credentials is None or credentials.allows(authorization)

    def verifies(self, authorization: str) -> bool:
        """Whether these credentials are a user's; never where there are no users."""
        self._look()
        credentials = self._credentials
        return credentials is not None and credentials.allows(authorization)

    def _look(self) -> None:
        now_s = time.monotonic()
        if self._path is None or now_s - self._looked_s < _LOOK_S:
            return
        with self._lock:
            self._looked_s = now_s
            stamps = _stamps(self._files)
            if stamps == self._stamps:
                return
            self._stamps = stamps
            try:
                self._load()
            except ConfigInvalid as exc:
                _LOG.error("%s; the settings from before stay", exc)
            else:
                _LOG.info("web config %s: read again", self._path)

    def _load(self) -> None:
        config = load(self._path) if self._path is not None else WebConfig()
        if self._needs_auth and not config.authenticates:
            raise ConfigInvalid(
                f"exporter.listen {self._where} with monitor.interval {self._interval_s:g}: "
                "readings faster than 1 s are shown to strangers; use an interval of 1 s or more, "
                "a loopback address, or a web-config with basic_auth_users"
            )
        tls = self._context(config)
        credentials = self._credentials
        if config.basic_auth_users != self._config.basic_auth_users:
            users = config.basic_auth_users
            credentials = Credentials(users) if users else None
        if self._path is not None:
            self._files = files_of(config, self._path)
            self._stamps = _stamps(self._files)
        self._config, self._tls, self._credentials = config, tls, credentials

    def _context(self, config: WebConfig) -> "ssl.SSLContext | None":
        if config.tls_server_config is None or self._path is None:
            return None
        from wattribute.http.tls import context_of  # noqa: PLC0415 - ssl is 4 MB

        return context_of(config.tls_server_config, self._path.parent)


def _stamps(files: Sequence[Path]) -> Sequence[object]:
    found: list[object] = []
    for file in files:
        try:
            status = file.stat()
        except OSError:
            found.append(None)
        else:
            found.append((status.st_mtime_ns, status.st_size, status.st_ino))
    return found
