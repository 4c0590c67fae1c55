"""From a request to its viewer: by token, by password, or by a proxy's header.

Credentials of different kinds are never mixed: the first that a request shows decides.
"""

import ipaddress
from pathlib import Path
from typing import Final

from starlette.requests import Request

from wattribute.accounting.settings import WebSettings
from wattribute.accounting.web.viewers import EVERYBODY, Viewer, viewer_of
from wattribute.core.errors import ConfigInvalid
from wattribute.http.access import Access
from wattribute.http.listen import is_loopback
from wattribute.http.web_config import WebConfig

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Authentication:
    """Finds out who asks, by the section ``web`` of the settings."""

    def __init__(self, settings: WebSettings) -> None:
        """Check what the settings say.

        Raises:
            ConfigInvalid: A file, user or network is wrong, or strangers could read statements.
        """
        self._settings = settings
        self._proxies = tuple(_network(text) for text in settings.trusted_proxies)
        self._team_of_token = {
            f"web.teams.{name}.token_file": name
            for name, team in settings.teams.items()
            if team.token_file
        }
        self._teams_of_user: dict[str, list[str]] = {}
        for name, team in settings.teams.items():
            for user in team.users:
                self._teams_of_user.setdefault(user, []).append(name)
        if self._teams_of_user and not settings.web_config:
            raise ConfigInvalid("web.teams: users need web.web_config, which has their passwords")
        self.access: Final = Access(
            settings.web_config,
            tokens={
                setting: Path(settings.teams[name].token_file)
                for setting, name in self._team_of_token.items()
            },
            check=self._refuse_sans,
        )
        if not self.is_needed and not is_loopback((settings.listen,)):
            raise ConfigInvalid(
                f"web.listen {settings.listen}: not only this machine can reach it; give web.teams "
                "a token_file or users, or web.trusted_proxies"
            )

    @property
    def is_needed(self) -> bool:
        """Whether viewers must say who they are."""
        return bool(self._proxies or self._team_of_token or self._teams_of_user)

    @property
    def takes_passwords(self) -> bool:
        """Whether a browser may ask its user for a password."""
        return bool(self._teams_of_user)

    def viewer(self, request: Request) -> Viewer | None:
        """The viewer who asks; None for a stranger. May block while a password is checked."""
        if not self.is_needed:
            return EVERYBODY
        if self._is_proxy(request):
            header = request.headers.get(self._settings.teams_header, "")
            teams = [team.strip() for team in header.split(",") if team.strip()]
            if teams:
                return viewer_of(", ".join(teams), teams, self._settings.teams)
        authorization = request.headers.get("authorization", "")
        teams = [self._team_of_token[setting] for setting in self.access.tokens(authorization)]
        if teams:
            return viewer_of(", ".join(teams), teams, self._settings.teams)
        if not self._teams_of_user:
            return None
        # Every user's password is checked: the time must not tell which users have a team.
        user = self.access.user(authorization)
        if user is None:
            return None
        return viewer_of(user, self._teams_of_user.get(user, ()), self._settings.teams)

    def _refuse_sans(self, config: WebConfig) -> None:
        """Refuse rules for the names in clients' certificates, because nothing here checks them."""
        tls = config.tls_server_config
        if tls is not None and tls.client_allowed_sans:
            raise ConfigInvalid(
                f"web config {self._settings.web_config}: `serve` does not check "
                "client_allowed_sans; use client_ca_file with a CA of its own"
            )

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


def _network(text: str) -> _Network:
    try:
        return ipaddress.ip_network(text)
    except ValueError as exc:
        raise ConfigInvalid(
            f"web.trusted_proxies: {text!r} is no address or network ({exc}); "
            "write 10.0.0.5 or 10.0.0.0/24"
        ) from None
