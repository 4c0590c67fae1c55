"""The exporter as a whole: settings and a source of snapshots -> a running server."""

from collections.abc import Callable

from wattribute.core.clock import Clock, SystemClock
from wattribute.core.records import Snapshot
from wattribute.http.listen import Address
from wattribute.http.server import Server
from wattribute.node.exporter.disclosure import Disclosure
from wattribute.node.exporter.scene import NodeLabels
from wattribute.node.exporter.site import Site
from wattribute.node.settings import ExporterSettings


class Exporter:
    """Serves the newest snapshot.

    ``source`` is called once per request, from several threads, and must not block.
    """

    def __init__(
        self,
        settings: ExporterSettings,
        source: Callable[[], Snapshot | None],
        *,
        interval_s: float,
        node: NodeLabels,
        clock: Clock | None = None,
    ) -> None:
        """``interval_s``: the monitor's, which decides what strangers may see.

        Raises:
            ConfigInvalid: an address or the web-config is wrong, or fast readings would
                be shown to strangers.
        """
        disclosure = Disclosure(settings, interval_s)
        site = Site(settings, source, disclosure, node, clock or SystemClock())
        self._server = Server(settings.listen, site.answer, disclosure.access.secured)
        self._scheme = "http" if disclosure.access.tls is None else "https"

    def start(self) -> None:
        """Listen, and serve in threads.

        Raises:
            ListenFailed: an address cannot be listened on.
        """
        self._server.start()

    def stop(self) -> None:
        """Stop serving; at once, whatever clients do."""
        self._server.stop()

    @property
    def addresses(self) -> tuple[Address, ...]:
        """What it listens on, ports of 0 filled in."""
        return self._server.addresses

    @property
    def urls(self) -> tuple[str, ...]:
        """The same as URLs, to be shown to people."""
        return tuple(f"{self._scheme}://{address}" for address in self.addresses)
