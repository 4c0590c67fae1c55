"""Bodies of one metrics path, each made once per snapshot and then shared by all scrapers."""

import threading
from collections.abc import Callable, Iterable, Sequence

from isal import isal_zlib

from wattribute.core.records import Snapshot
from wattribute.node.exporter import exposition
from wattribute.node.exporter.exposition import Renderer
from wattribute.node.exporter.family import Family
from wattribute.node.exporter.layout import ContainerLabels, ProcessLabels
from wattribute.node.exporter.scene import NodeLabels, Scene

_GZIP = 31
"""Window bits for a gzip header, as zlib counts them. At level 1 isal makes 2.4 MB (10,900 series)
to 0.20 MB in 1.3 ms; zlib takes 6.4 ms for the same."""


class MetricsBodies:
    """Renders the newest snapshot as clients ask for it."""

    def __init__(
        self,
        families: Callable[[bool, bool], Sequence[Family]],
        node: NodeLabels,
        pod_labels: Sequence[str],
    ) -> None:
        """``families(processes, stale)``: what the path shows."""
        self._families = families
        self._node = node
        self._pod_labels = pod_labels
        self._renderer = Renderer()
        self._containers = ContainerLabels()
        self._processes = ProcessLabels()
        self._lock = threading.Lock()
        self._of: tuple[Snapshot, bool, bool] | None = None
        self._pieces: Sequence[tuple[Family, bytes]] = ()
        self._bodies: dict[tuple[bool, bool], bytes] = {}

    def body(
        self, snapshot: Snapshot, *, processes: bool, stale: bool, openmetrics: bool, gzip: bool
    ) -> bytes:
        """The exposition; the first that asks makes it, the others wait for it."""
        with self._lock:
            if self._of is not None and self._of[0].sequence > snapshot.sequence:
                # Another scraper's thread overtook this one: nobody is shown an older page.
                snapshot, stale = self._of[0], self._of[2]
            asked = (snapshot, processes, stale)
            if self._of is None or self._of[0] is not snapshot or self._of[1:] != asked[1:]:
                families = self._families(processes, stale)
                scene = Scene(
                    snapshot, self._node, self._pod_labels, self._containers, self._processes
                )
                self._pieces = self._renderer.render(families, scene)
                self._bodies = {}
                self._of = asked
            return self._rendered(openmetrics=openmetrics, gzip=gzip)

    def _rendered(self, *, openmetrics: bool, gzip: bool) -> bytes:
        body = self._bodies.get((openmetrics, gzip))
        if body is None:
            form = exposition.openmetrics if openmetrics else exposition.text
            parts = form(self._pieces)
            body = compressed(parts) if gzip else b"".join(parts)
            self._bodies[openmetrics, gzip] = body
        return body


def compressed(parts: Iterable[bytes]) -> bytes:
    """The same in gzip; the whole never lies uncompressed in one place."""
    stream = isal_zlib.compressobj(1, isal_zlib.DEFLATED, _GZIP)
    return b"".join([*map(stream.compress, parts), stream.flush()])
