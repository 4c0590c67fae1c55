"""Settings -> an open monitor, and what was found of every source on the way."""

import os
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from wattribute.core.clock import Clock, SystemClock
from wattribute.core.errors import ConfigInvalid
from wattribute.core.units import nanoseconds
from wattribute.node.activity.choose import ChosenActivity, cgroup_root, choose_activity
from wattribute.node.activity.hierarchy import find_hierarchy
from wattribute.node.activity.whois import ProcessFinder
from wattribute.node.findings import SourceFinding
from wattribute.node.meter.choose import PATIENCE_S
from wattribute.node.monitor.loop import LoopRules, Monitor, WhoRan
from wattribute.node.monitor.naming import Names
from wattribute.node.monitor.state import StateFile
from wattribute.node.settings import NodeSettings
from wattribute.node.sharing.given_floors import floor_policy
from wattribute.node.sharing.weight_findings import weight_findings
from wattribute.node.sources import open_sources
from wattribute.node.workload.engines import open_engines
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


@dataclass(frozen=True, slots=True)
class OpenMonitor:
    """A monitor, and a row of ``wattribute doctor`` for each source."""

    monitor: Monitor
    findings: tuple[SourceFinding, ...]


def open_monitor(
    settings: NodeSettings,
    *,
    with_state: bool = True,
    patience_s: float = PATIENCE_S,
    clock: Clock | None = None,
) -> OpenMonitor:
    """Open all sources, and a monitor over them.

    Args:
        settings: of the node.
        with_state: keep totals in the state file, and take models from the model server.
        patience_s: how long the cluster and a BMC may take to answer, in seconds.
        clock: what time it is; None: the system's.

    Raises:
        ConfigInvalid: the settings are wrong.
        MeterError: a meter that was named cannot be used.
        ActivityError: the activity source that was named cannot be used, or none can.
    """
    cluster, misconfigured = _open_cluster(settings)
    try:
        sources = open_sources(settings, patience_s=patience_s, follow_models=with_state)
        try:
            activity = choose_activity(settings, sources.topology)
        except BaseException:
            sources.close()
            raise
    except BaseException:
        if cluster is not None:
            cluster.close()
        raise
    allocations = None
    if sources.gpus and cluster is not None:
        allocations = open_pod_resources(settings.workload)
    engines, engine_findings = open_engines() if settings.workload.engines else (None, ())
    monitor = Monitor(
        sources,
        _who_ran(settings, activity),
        Names(engines, cluster, allocations, _sandboxes(settings).is_sandbox),
        _rules(settings, kubernetes=cluster is not None),
        clock or SystemClock(),
        state_file=_state_file(settings) if with_state else None,
    )
    return OpenMonitor(
        monitor,
        (
            *sources.findings,
            *activity.findings,
            *_cgroup_finding(settings, activity),
            *weight_findings(settings.attribution.weight, sources.energy, activity.backend.counts),
            *engine_findings,
            *_cluster_findings(cluster, misconfigured, allocations, patience_s),
        ),
    )


def _cluster_findings(
    cluster: "PodSource | None",
    misconfigured: SourceFinding | None,
    allocations: "PodResources | None",
    patience_s: float,
) -> tuple[SourceFinding, ...]:
    """Return how the sources in Kubernetes are doing; they are given time to answer."""
    if cluster is not None:
        cluster.wait(patience_s)
    pods = misconfigured or finding_of(cluster)
    if allocations is None:
        return (pods,)
    allocations.wait(patience_s)
    return pods, finding_of_allocations(allocations)


def _cgroup_finding(settings: NodeSettings, activity: ChosenActivity) -> tuple[SourceFinding, ...]:
    """Return what is loss where the cgroup file system is not where we look; nothing if it is."""
    root = cgroup_root(settings)
    if find_hierarchy(root, 1).accounting != "none":
        return ()
    setting = "activity.cgroupfs" if settings.activity.cgroupfs else "fs/cgroup below meter.sysfs"
    loss = (
        "no container is seen"
        if activity.backend.reads_cgroups
        else "memory and the CPU time of short-lived processes are missing from containers"
    )
    message = (
        f"{root} ({setting}): no cgroup file system, so {loss}; mount the host's /sys/fs/cgroup "
        "there, or name its place with --cgroupfs"
    )
    return (SourceFinding("activity", "cgroups", "failed", message),)


def _open_cluster(settings: NodeSettings) -> "tuple[PodSource | None, SourceFinding | None]":
    """Return the source of pod names, already asking; or why ``auto`` cannot have one here.

    Raises:
        ConfigInvalid: the settings of a source that was asked for are wrong.
    """
    try:
        return open_cluster(settings.workload, os.environ), None
    except ConfigInvalid as error:
        if settings.workload.kube != "auto" or settings.workload.kube_url:
            raise
        return None, SourceFinding("identity", "kubernetes", "failed", str(error))


def _who_ran(settings: NodeSettings, activity: ChosenActivity) -> WhoRan:
    procfs = Path(settings.activity.procfs)
    finder = ProcessFinder(
        procfs, cgroup_root(settings), any_hierarchy=not activity.backend.reads_cgroups
    )
    return WhoRan(activity.activity, finder, VmFinder(procfs).vm_of)


def _rules(settings: NodeSettings, *, kubernetes: bool) -> LoopRules:
    return LoopRules(
        interval_ns=nanoseconds(settings.monitor.interval),
        linger_ns=nanoseconds(settings.monitor.linger),
        birth_hold_ns=nanoseconds(settings.monitor.birth_hold),
        processes_published=settings.exporter.processes,
        policy=floor_policy(settings.attribution.idle_policy, kubernetes=kubernetes),
        gpu_floor=settings.attribution.gpu_floor,
    )


def _sandboxes(settings: NodeSettings) -> SandboxFinder:
    root = Path(find_hierarchy(cgroup_root(settings), 1).root)
    return SandboxFinder(root, Path(settings.activity.procfs))


def state_path(settings: NodeSettings) -> Path | None:
    """Return where the state is kept; None: nowhere.

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


def _state_file(settings: NodeSettings) -> StateFile | None:
    path = state_path(settings)
    if path is None:
        return None
    boot_id = _first_line(Path(settings.activity.procfs) / "sys/kernel/random/boot_id")
    # An image has no machine id, and a pod's host name ends with the pod; the node's stays.
    name = settings.workload.node_name or platform.node()
    machine_id = _first_line(Path("/etc/machine-id")) or name
    return StateFile(path, machine_id, boot_id)


def _first_line(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return ""
