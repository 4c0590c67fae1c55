"""What the exporter shows to clients that need not say who they are."""

from typing import Final

from wattribute.core.errors import ConfigInvalid
from wattribute.http.access import Access
from wattribute.http.listen import is_loopback
from wattribute.http.web_config import WebConfig
from wattribute.node.settings import ExporterSettings

SAFE_INTERVAL_S: Final = 1.0
"""Energy counters that are read more often are a side channel: PLATYPUS (Lipp et al., 2021)
recovers keys from RAPL at 20 ms, and needs far longer as the readings get coarser."""


class Disclosure:
    """The exporter's access rules, and whether they let single processes be shown."""

    def __init__(self, settings: ExporterSettings, interval_s: float) -> None:
        """Read the web-config.

        Args:
            settings: Where the exporter listens, and its web-config.
            interval_s: Seconds between two readings of the meters.

        Raises:
            ConfigInvalid: The web-config is wrong, or strangers would see readings that are taken
                more often than once a second.
        """
        self._settings = settings
        self._interval_s = interval_s
        self._is_local = is_loopback(settings.listen)
        self.access: Final = Access(settings.web_config, check=self._check)

    @property
    def shows_processes(self) -> bool:
        """Whether names and energy of single processes may be shown."""
        return self._is_local or self.access.authenticates

    def _check(self, config: WebConfig) -> None:
        if self._is_local or self._interval_s >= SAFE_INTERVAL_S or config.authenticates:
            return
        raise ConfigInvalid(
            f"exporter.listen {', '.join(self._settings.listen)} with monitor.interval "
            f"{self._interval_s:g}: readings faster than 1 s are shown to strangers; use an "
            "interval of 1 s or more, a loopback address, or a web-config with basic_auth_users"
        )
