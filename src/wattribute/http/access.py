"""Who may ask a server, and over which connections: the web-config as it is now, and tokens."""

import logging
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wattribute.core.errors import ConfigInvalid
from wattribute.http.credentials import BasicAuth, user_of
from wattribute.http.tokens import matches, token_in
from wattribute.http.web_config import WebConfig, files_of, load

if TYPE_CHECKING:
    import ssl

_LOG: Final = logging.getLogger(__name__)
_LOOK_S: Final = 1.0
"""Time between two looks at the files of the web-config; a look takes 0.1 ms."""


class Access:
    """The access rules of one server.

    The web-config is read again when one of its files changes. A change that is not valid is
    logged once, and the rules from before stay. Token files are read for every request.
    """

    def __init__(
        self,
        web_config: str = "",
        *,
        tls: "ssl.SSLContext | None" = None,
        tokens: Mapping[str, Path] | None = None,
        check: Callable[[WebConfig], None] = lambda _: None,
    ) -> None:
        """Read and check all files.

        Args:
            web_config: Path of the web-config; "" is none.
            tls: How connections are secured where the web-config does not say it; None is no TLS.
            tokens: Files with tokens, by the settings that name them.
            check: Called with each web-config before it counts, with an empty one where there is
                no file; it raises `ConfigInvalid` to refuse it.

        Raises:
            ConfigInvalid: The web-config or a token file is wrong, or ``check`` refuses it.
        """
        self._path = Path(web_config) if web_config else None
        self._tokens = dict(tokens or {})
        self._check = check
        self._lock = threading.Lock()
        self._config = WebConfig()
        self._own_tls = self._tls = tls
        self._users: BasicAuth | None = None
        self._files: Sequence[Path] = ()
        self._stamps: Sequence[object] = ()
        self._looked_s = time.monotonic()
        for setting, path in self._tokens.items():
            token_in(path, setting)
        self._load()

    @property
    def authenticates(self) -> bool:
        """Whether the web-config lets in only clients that show who they are."""
        return self._config.authenticates

    @property
    def tls(self) -> "ssl.SSLContext | None":
        """The context of new connections; None is no TLS."""
        return self._tls

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """Headers that the web-config adds to every answer."""
        return tuple(self._config.http_server_config.headers.items())

    def secured(self, client: socket.socket) -> socket.socket:
        """A new connection, after the TLS handshake where TLS is set; takes ``client`` over.

        Raises:
            OSError: The handshake failed or took too long, or the client's certificate is not one
                that is let in.
        """
        self._look()
        context, server = self._tls, self._config.tls_server_config
        if context is None:
            return client
        secured = context.wrap_socket(client, server_side=True, do_handshake_on_connect=False)
        try:
            secured.do_handshake()
        except BaseException:
            secured.close()
            raise
        from wattribute.http.tls import has_one_of  # noqa: PLC0415 - ssl is 4 MB

        sans = () if server is None else server.client_allowed_sans
        if sans and not has_one_of(secured, sans):
            secured.close()
            raise ConnectionRefusedError("none of client_allowed_sans is in the certificate")
        return secured

    def allows(self, authorization: str) -> bool:
        """Whether a request may be answered, as far as the web-config's users are concerned.

        Without users everybody may ask. The ``Authorization`` header may be empty.
        """
        self._look()
        users = self._users
        return users is None or users.allows(authorization)

    def user(self, authorization: str) -> str | None:
        """The user of the web-config whose name and password the header has; None is no user."""
        self._look()
        user, users = user_of(authorization), self._users
        if user is None or users is None or not users.allows(authorization):
            return None
        return user

    def tokens(self, authorization: str) -> Sequence[str]:
        """The settings of those token files whose token the header has."""
        return [name for name, path in self._tokens.items() if matches(path, authorization)]

    def _look(self) -> None:
        """Read the web-config again if one of its files has changed."""
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
        self._check(config)
        tls = self._context(config)
        users = self._users
        if config.basic_auth_users != self._config.basic_auth_users:
            users = BasicAuth(config.basic_auth_users) if config.basic_auth_users else None
        if self._path is not None:
            self._files = files_of(config, self._path)
            self._stamps = _stamps(self._files)
        self._config, self._tls, self._users = config, tls, users

    def _context(self, config: WebConfig) -> "ssl.SSLContext | None":
        if config.tls_server_config is None or self._path is None:
            return self._own_tls
        from wattribute.http.tls import context_of  # noqa: PLC0415 - ssl is 4 MB

        return context_of(config.tls_server_config, self._path.parent)


def _stamps(files: Sequence[Path]) -> Sequence[object]:
    """What changes with the content of each file; None for a file that is not there."""
    stamps: list[object] = []
    for file in files:
        try:
            status = file.stat()
        except OSError:
            stamps.append(None)
        else:
            stamps.append((status.st_mtime_ns, status.st_size, status.st_ino))
    return stamps
