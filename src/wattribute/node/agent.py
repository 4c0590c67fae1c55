"""The agent: an open monitor, and an exporter beside it."""

import gc
import logging
import platform
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wattribute import __version__
from wattribute.core.errors import ConfigInvalid, StateInvalid
from wattribute.node.exporter.scene import NodeLabels
from wattribute.node.exporter.serve import Exporter
from wattribute.node.exporter.spool import Spool
from wattribute.node.findings import SourceFinding
from wattribute.node.monitor.loop import Monitor
from wattribute.node.opening import open_monitor, state_path
from wattribute.node.settings import NodeSettings

_LOG = logging.getLogger(__name__)

_GARBAGE_THRESHOLD = 50_000


def run_agent(settings: NodeSettings) -> int:
    """Measure and serve until SIGTERM or SIGINT; the exit code.

    Raises:
        ConfigInvalid: the settings are wrong.
        MeterError: a meter that was named cannot be used.
        ActivityError: the activity source that was named cannot be used.
        ListenFailed: an address cannot be listened on.
    """
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    opened = open_monitor(settings)
    monitor = opened.monitor
    exporter = _exporter(settings, monitor)
    for finding in opened.findings:
        if finding.state in ("denied", "failed"):
            _LOG.warning("%s %s: %s", finding.part, finding.name, finding.message)
        elif finding.message and finding.state != "not used":
            _LOG.info("%s %s: %s", finding.part, finding.name, finding.message)
    try:
        monitor.resume()
    except StateInvalid as error:
        _LOG.warning("state: %s", error)
    spool = _spool(settings, monitor)
    exporter.start()
    try:
        for url in exporter.urls:
            _LOG.info("serving %s/metrics and a page for people at %s/", url, url)
        gc.collect()
        gc.freeze()  # what is here now stays: later collections need not look at it
        gc.set_threshold(_GARBAGE_THRESHOLD)
        monitor.run(stop, spool.observe if spool else None)
        monitor.tick()
        if spool and (snapshot := monitor.snapshot()):
            spool.observe(snapshot)
    finally:
        exporter.stop()
        if spool:
            spool.close()
        monitor.close()
    return 0


def check(settings: NodeSettings) -> tuple[SourceFinding, ...]:
    """Open everything once, read it, and close it: what works and what does not."""
    opened = open_monitor(settings, with_state=False, patience_s=10.0)
    try:
        state_path(settings)
        _exporter(settings, opened.monitor)
        opened.monitor.tick()
    finally:
        opened.monitor.close()
    return opened.findings


@contextmanager
def local_monitor(settings: NodeSettings) -> Iterator[Monitor]:
    """A monitor without an exporter, that ticks when its user says; keeps no state."""
    monitor = open_monitor(settings, with_state=False).monitor
    try:
        yield monitor
    finally:
        monitor.close()


def _exporter(settings: NodeSettings, monitor: Monitor) -> Exporter:
    return Exporter(
        settings.exporter,
        monitor.snapshot,
        interval_s=settings.monitor.interval,
        node=_node_labels(settings),
    )


def _node_labels(settings: NodeSettings) -> NodeLabels:
    return NodeLabels(
        settings.workload.node_name or platform.node(),
        cluster=settings.workload.cluster,
        nested=settings.exporter.nested,
        version=__version__,
    )


def _spool(settings: NodeSettings, monitor: Monitor) -> Spool | None:
    """The spool that the settings name; None: none.

    Raises:
        ConfigInvalid: its folder cannot be used.
    """
    if not settings.exporter.spool:
        return None
    try:
        return Spool(
            Path(settings.exporter.spool),
            _node_labels(settings),
            settings.exporter.pod_labels,
            max_bytes=settings.exporter.spool_max_mib << 20,
            resumed=monitor.resumed,
        )
    except OSError as exc:
        raise ConfigInvalid(f"exporter.spool: {settings.exporter.spool}: {exc.strerror}") from exc
