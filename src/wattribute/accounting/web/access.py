"""From a request to whoever asks: token, password, or a proxy's header.

Credentials from different doors are never mixed: the first that a request shows decides.
"""

import ipaddress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from starlette.requests import Request

from wattribute.accounting.settings import WebSettings
from wattribute.accounting.web.viewers import EVERYBODY, Viewer, viewer_of
from wattribute.core.errors import ConfigInvalid
from wattribute.http.access import Access as WebConfigAccess
from wattribute.http.access import is_loopback
from wattribute.http.credentials import user_of
from wattribute.http.tokens import matches, token_in
from wattribute.http.web_config import load

if TYPE_CHECKING:
    import ssl

_NO_INTERVAL: Final = float("inf")
"""The web-config's check of fast readings does not concern statements."""
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Gate:
    """Who may come in."""

    def __init__(self, settings: WebSettings) -> None:
        """Check what the settings say.

        Raises:
            ConfigInvalid: a file, user or network is wrong, or strangers could read statements.
        """
        self._settings = settings
        self._proxies = tuple(_network(text) for text in settings.trusted_proxies)
        self._tokens = {
            name: Path(team.token_file) for name, team in settings.teams.items() if team.token_file
        }
        for path in self._tokens.values():
            token_in(path)
        self._teams_of: dict[str, list[str]] = {}
        for name, team in settings.teams.items():
            for user in team.users:
                self._teams_of.setdefault(user, []).append(name)
        if self._teams_of and not settings.web_config:
            raise ConfigInvalid("web.teams: users need web.web_config, which has their passwords")
        _refuse_sans(settings.web_config)
        self._passwords = WebConfigAccess((settings.listen,), settings.web_config, _NO_INTERVAL)
        if not self.asks and not is_loopback((settings.listen,)):
            raise ConfigInvalid(
                f"web.listen {settings.listen}: not only this machine can reach it; give web.teams "
                "a token_file or users, or web.trusted_proxies"
            )

    @property
    def asks(self) -> bool:
        """Whether anybody is asked who they are."""
        return bool(self._proxies or self._tokens or self._teams_of)

    @property
    def takes_passwords(self) -> bool:
        """Whether a browser may ask its user."""
        return bool(self._teams_of)

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """Headers of every answer, as the web-config says."""
        return self._passwords.headers

    @property
    def tls(self) -> "ssl.SSLContext | None":
        """As the web-config says."""
        return self._passwords.tls

    def viewer(self, request: Request) -> Viewer | None:
        """Who asks; None: nobody that is known. May block for a password."""
        if not self.asks:
            return EVERYBODY
        if self._is_proxy(request):
            named = request.headers.get(self._settings.teams_header, "")
            teams = [team.strip() for team in named.split(",") if team.strip()]
            if teams:
                return viewer_of(", ".join(teams), teams, self._settings.teams)
        given = request.headers.get("authorization", "")
        found = [name for name, path in self._tokens.items() if matches(path, given)]
        if found:
            return viewer_of(", ".join(found), found, self._settings.teams)
        user = user_of(given)
        # Checked whoever it is: the time must not tell which users have a team.
        if user is not None and self._teams_of and self._passwords.verifies(given):
            return viewer_of(user, self._teams_of.get(user, ()), self._settings.teams)
        return None

    def _is_proxy(self, request: Request) -> bool:
        if request.client is None:
            return False
        try:
            address = ipaddress.ip_address(request.client.host)
        except ValueError:
            return False
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
            address = address.ipv4_mapped
        return any(address in network for network in self._proxies)


def _refuse_sans(web_config: str) -> None:
    """Names in clients' certificates are not looked at here, so none may be promised."""
    tls = load(Path(web_config)).tls_server_config if web_config else None
    if tls is not None and tls.client_allowed_sans:
        raise ConfigInvalid(
            f"web config {web_config}: client_allowed_sans is not looked at by `serve`; "
            "use client_ca_file with a CA of its own"
        )


def _network(text: str) -> _Network:
    try:
        return ipaddress.ip_network(text)
    except ValueError as exc:
        raise ConfigInvalid(
            f"web.trusted_proxies: {text!r} is no address or network ({exc}); "
            "write 10.0.0.5 or 10.0.0.0/24"
        ) from None
