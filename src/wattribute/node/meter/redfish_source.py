"""Power of the chassis from its BMC, over Redfish.

PowerConsumedWatts and PowerWatts.Reading are the power at the moment when the BMC looked, every 1
to 60 s: Gauges of the instant. Only AverageConsumedWatts, the last resort, is a mean.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from wattribute.core.errors import ConfigInvalid, MeterError, MeterFailed
from wattribute.core.records import Gauge, Zone
from wattribute.http.client import HttpClient, Keys
from wattribute.node.meter.bmcfile import Bmc, Credentials, read_bmc
from wattribute.node.meter.polled import PolledMeter
from wattribute.node.meter.redfish_session import Session
from wattribute.node.meter.redfish_tree import Json, Route, link, power, routes
from wattribute.node.settings import MeterSettings, NodeSettings

_ROOTS = ("/redfish/v1/", "/redfish/v1")
"""With the slash, as the specification writes it; some firmwares know only the other."""
_KEYS: Final = Keys("meter.redfish_url", "meter.redfish_ca_file")


class RedfishSource:
    """One BMC, asked in one thread."""

    def __init__(self, client: HttpClient, session: Session, chassis: tuple[str, ...]) -> None:
        """``chassis``: Ids of those that count; empty: those that measure."""
        self._client = client
        self._session = session
        self._chassis = chassis
        self._routes: tuple[Route, ...] = ()

    def poll(self) -> Mapping[Zone, Gauge]:
        """The power of every chassis; after a failure the tree is searched anew.

        Raises:
            MeterError: not all of them could be read: a part of the platform is not the platform.
        """
        try:
            if not self._routes:
                self._routes = routes(self._session.get, self._root(), self._chassis)
            return {
                Zone("platform", route.chassis, "redfish"): power(self._session.get, route)
                for route in self._routes
            }
        except MeterError as error:
            self._routes = ()
            message = str(error)
            if message.startswith((self._client.url, "meter.")):
                raise type(error)(f"redfish: {message}") from error
            raise type(error)(f"redfish: {self._client.url}: {message}") from error

    def interrupt(self) -> None:
        """End the request that is under way."""
        self._client.interrupt()

    def close(self) -> None:
        """End our session on the BMC."""
        self._session.close()

    def _root(self) -> Json:
        for path in _ROOTS:
            root = self._session.anonymous(path)
            if root is not None:
                links = root.get("Links")
                if sessions := link(links, "Sessions"):
                    self._session.use_sessions_at(sessions)
                return root
        raise MeterFailed(f"{self._client.url}{_ROOTS[0]}: no Redfish service; is this a BMC?")


def open_redfish(settings: NodeSettings, node: str) -> PolledMeter:
    """The meter of the BMC that the settings name; it is asked in the background.

    Args:
        settings: the whole tree.
        node: this node's name, as the credentials file has it.

    Raises:
        MeterDenied: the credentials file may not be read, or others may.
        MeterFailed: the credentials file is not there.
        ConfigInvalid: address or file cannot be used.
    """
    room = settings.meter
    file = Path(room.redfish_credentials) if room.redfish_credentials else None
    bmc = read_bmc(file, node) if file else None
    url = room.redfish_url or (bmc.endpoint if bmc else "")
    if not url:
        raise ConfigInvalid("meter.redfish_url: the address of the BMC is not set: https://HOST")
    if bmc is None and not room.redfish_username:
        raise ConfigInvalid(
            "meter.redfish_credentials: name the file with username and password (or set "
            "WATTRIBUTE_METER__REDFISH_USERNAME and WATTRIBUTE_METER__REDFISH_PASSWORD)"
        )
    client = _client(url, bmc, room)

    def credentials() -> Credentials:
        if file is None:
            return Credentials(room.redfish_username, room.redfish_password)
        try:
            return read_bmc(file, node).credentials  # as it is now
        except ConfigInvalid as error:
            raise MeterFailed(str(error)) from error

    source = RedfishSource(client, Session(client, credentials), room.redfish_chassis)
    return PolledMeter("redfish", source, room.redfish_interval)


def _client(url: str, bmc: Bmc | None, settings: MeterSettings) -> HttpClient:
    client = HttpClient(
        url if "://" in url else f"https://{url}",
        _KEYS,
        ca_file=settings.redfish_ca_file,
        insecure=settings.redfish_insecure,
    )
    if not client.is_tls and not settings.redfish_insecure:
        message = (
            f"{_KEYS.url}: {url!r} would send the password in the clear; write https:// "
            "(or set meter.redfish_insecure, on a network that is only yours)"
        )
        if bmc is not None and bmc.insecure:
            message += "; the file's own `insecure` is not enough: set meter.redfish_insecure"
        raise ConfigInvalid(message)
    return client
