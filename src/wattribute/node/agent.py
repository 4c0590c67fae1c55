"""The composition root: settings -> open sources -> a monitor, and an exporter beside it."""

import gc
import logging
import os
import platform
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from wattribute import __version__
from wattribute.core.clock import SystemClock
from wattribute.core.errors import ConfigInvalid, StateInvalid
from wattribute.core.records import Zone
from wattribute.core.units import nanoseconds
from wattribute.node.activity.choose import choose_activity
from wattribute.node.activity.hierarchy import find_hierarchy
from wattribute.node.activity.whois import ProcessFinder
from wattribute.node.exporter.scene import NodeLabels
from wattribute.node.exporter.serve import Exporter
from wattribute.node.exporter.spool import Spool
from wattribute.node.meter import GpuMeter, Meter
from wattribute.node.meter.choose import choose_meters
from wattribute.node.meter.estimate import EstimateMeter
from wattribute.node.meter.machine import read_machine, read_topology
from wattribute.node.monitor.gpus import GpuUsers
from wattribute.node.monitor.loop import Monitor, Timing
from wattribute.node.monitor.state import StateFile
from wattribute.node.settings import NodeSettings
from wattribute.node.sharing.opening import floor_policy, make_metering, make_sharer
from wattribute.node.workload.engines import open_engines
from wattribute.node.workload.kube.choose import Finding as SourceFinding
from wattribute.node.workload.kube.choose import (
    finding_of,
    finding_of_allocations,
    open_cluster,
    open_pod_resources,
)
from wattribute.node.workload.sandbox import SandboxFinder
from wattribute.node.workload.vms import VmFinder

if TYPE_CHECKING:
    from wattribute.node.workload.kube.pod_resources import PodResources
    from wattribute.node.workload.kube.source import PodSource

_LOG = logging.getLogger(__name__)

_GARBAGE_THRESHOLD = 50_000


@dataclass(frozen=True, slots=True)
class Finding:
    """One row of ``wattribute doctor``."""

    part: Literal["meter", "activity", "identity", "exporter"]
    name: str
    state: Literal["works", "not used", "absent", "denied", "failed"]
    message: str
    """What is wrong and what would fix it; "" when there is nothing to say."""


@dataclass(frozen=True, slots=True)
class _Opened:
    monitor: Monitor
    findings: tuple[Finding, ...]
    allocations: "PodResources | None" = None


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
    opened = _open(settings)
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


def check(settings: NodeSettings) -> tuple[Finding, ...]:
    """Open everything once, read it, and close it: what works and what does not."""
    opened = _open(settings, with_state=False, patience_s=10.0)
    try:
        _state_path(settings)
        _exporter(settings, opened.monitor)
        opened.monitor.tick()
    finally:
        opened.monitor.close()
    return opened.findings


@contextmanager
def local_monitor(settings: NodeSettings) -> Iterator[Monitor]:
    """A monitor without an exporter, that ticks when its user says; keeps no state."""
    monitor = _open(settings, with_state=False).monitor
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


def _open(settings: NodeSettings, *, with_state: bool = True, patience_s: float = 1.0) -> _Opened:
    """Open all sources; ``patience_s``: how long cluster and BMC may take to answer."""
    cluster, misconfigured = _open_cluster(settings)
    try:
        opened = _open_with(settings, cluster, with_state=with_state, patience_s=patience_s)
    except BaseException:
        if cluster is not None:
            cluster.close()
        raise
    if cluster is not None:
        cluster.wait(patience_s)
    told = [misconfigured or finding_of(cluster)]
    if opened.allocations is not None:
        opened.allocations.wait(patience_s)
        told.append(finding_of_allocations(opened.allocations))
    names = (Finding("identity", f.name, f.state, f.message) for f in told)
    return _Opened(opened.monitor, (*opened.findings, *names))


def _open_cluster(settings: NodeSettings) -> "tuple[PodSource | None, SourceFinding | None]":
    """The source of pod names, already asking; or why ``auto`` cannot have one in this cluster.

    Raises:
        ConfigInvalid: the settings of a source that was asked for are wrong.
    """
    try:
        return open_cluster(settings.workload, os.environ), None
    except ConfigInvalid as error:
        if settings.workload.kube != "auto" or settings.workload.kube_url:
            raise
        return None, SourceFinding("kubernetes", "failed", str(error))


def _open_with(
    settings: NodeSettings, cluster: "PodSource | None", *, with_state: bool, patience_s: float
) -> _Opened:
    procfs, sysfs = Path(settings.activity.procfs), Path(settings.meter.sysfs)
    machine = read_machine(procfs, sysfs)
    topology = read_topology(sysfs, procfs)
    meters = choose_meters(settings, machine, patience_s=patience_s)
    if with_state and settings.estimator.model_server:
        _follow_model_server(settings, meters.meters)
    activity = choose_activity(settings, topology)
    allocations = None
    if meters.gpus and cluster is not None:
        allocations = open_pod_resources(settings.workload)
    identity, said = open_engines() if settings.workload.engines else (None, ())
    monitor = Monitor(
        machine=machine,
        metering=make_metering(settings, meters.meters),
        activity=activity.activity,
        identity=identity,
        cluster=cluster,
        is_sandbox=_sandboxes(settings).is_sandbox,
        sharer=make_sharer(settings, machine, topology, meters.meters, activity.activity.name),
        policy=floor_policy(settings, kubernetes=cluster is not None),
        timing=Timing(
            interval_ns=nanoseconds(settings.monitor.interval),
            linger_ns=nanoseconds(settings.monitor.linger),
            birth_hold_ns=nanoseconds(settings.monitor.birth_hold),
            processes_published=settings.exporter.processes,
        ),
        clock=SystemClock(),
        state_file=_state_file(settings, procfs) if with_state else None,
        vm_of=VmFinder(procfs).vm_of,
        gpus=_gpu_users(settings, meters.gpus, activity.activity.name),
        gpu_floor=settings.attribution.gpu_floor,
        allocations=allocations,
    )
    notes = {meter.name: meter.notes for meter in meters.gpus}
    findings = (
        *(
            Finding(
                "meter", f.name, f.state, _with_zones(f.message, f.zones, notes.get(f.name, ()))
            )
            for f in meters.findings
        ),
        *(Finding("activity", f.name, f.state, f.message) for f in activity.findings),
        *(Finding("identity", f.name, f.state, f.message) for f in said),
    )
    return _Opened(monitor, findings, allocations)


def _gpu_users(settings: NodeSettings, gpus: Sequence[GpuMeter], activity: str) -> GpuUsers:
    """Readers of who used the GPUs; ``activity``: the source that says who ran."""
    sysfs, cgroupfs = Path(settings.meter.sysfs), settings.activity.cgroupfs
    finder = ProcessFinder(
        Path(settings.activity.procfs),
        Path(cgroupfs) if cgroupfs else sysfs / "fs/cgroup",
        any_hierarchy=activity == "procfs",
    )
    return GpuUsers(gpus, finder)


def _follow_model_server(settings: NodeSettings, meters: Sequence[Meter]) -> None:
    """Let estimates take newer models, which a thread fetches; nothing waits for it."""
    from wattribute.node.meter.model_updates import open_updates  # noqa: PLC0415 - 2.5 MB, for few

    for meter in meters:
        if isinstance(meter, EstimateMeter):
            meter.follow(open_updates(settings, meter))


def _sandboxes(settings: NodeSettings) -> SandboxFinder:
    cgroupfs = Path(settings.activity.cgroupfs or Path(settings.meter.sysfs, "fs/cgroup"))
    root = Path(find_hierarchy(cgroupfs, 1).root)
    return SandboxFinder(root, Path(settings.activity.procfs))


def _with_zones(message: str, zones: tuple[Zone, ...], notes: tuple[str, ...]) -> str:
    named = ", ".join(f"{zone.kind}-{zone.id}" for zone in zones)
    return "; ".join(part for part in (named, *notes, message) if part)


def _state_path(settings: NodeSettings) -> Path | None:
    """Where the state is kept; None: nowhere.

    Raises:
        ConfigInvalid: no file can be there.
    """
    if not settings.monitor.state:
        return None
    path = Path(settings.monitor.state)
    if not path.parent.is_dir():
        raise ConfigInvalid(
            f"monitor.state: {path.parent}: no such folder; make it, or name another"
        )
    if path.exists() and not path.is_file():
        raise ConfigInvalid(f"monitor.state: {path}: not a regular file; name another")
    return path


def _state_file(settings: NodeSettings, procfs: Path) -> StateFile | None:
    path = _state_path(settings)
    if path is None:
        return None
    boot_id = _first_line(procfs / "sys/kernel/random/boot_id")
    # An image has no machine id, and a pod's host name ends with the pod; the node's stays.
    name = settings.workload.node_name or platform.node()
    machine_id = _first_line(Path("/etc/machine-id")) or name
    return StateFile(path, machine_id, boot_id)


def _first_line(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return ""
