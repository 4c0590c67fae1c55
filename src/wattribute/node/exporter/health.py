"""Families about the agent itself. They stay when the snapshot is stale."""

import os
import resource
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Final

from wattribute.core.records import Health, IdentityHealth
from wattribute.core.units import MICROSECONDS_PER_SECOND, NANOSECONDS_PER_MICROSECOND
from wattribute.node.exporter.family import (
    Family,
    Samples,
    counter,
    gauge,
    listed,
    millionths,
    single,
)
from wattribute.node.exporter.scene import Scene


def _health(pick: Callable[[Health], int]) -> Callable[[Scene], Samples | None]:
    return lambda scene: single(pick(scene.snapshot.health))


def _bpf_run(scene: Scene) -> Samples | None:
    run_ns = scene.snapshot.health.bpf_run_ns
    return None if run_ns is None else single(run_ns // NANOSECONDS_PER_MICROSECOND)


def _dropped_intervals(scene: Scene) -> Samples | None:
    reasons = sorted(scene.snapshot.health.dropped_intervals.items())
    return listed(({"reason": reason}, number) for reason, number in reasons)


def _identity(pick: Callable[[IdentityHealth], int]) -> Callable[[Scene], Samples | None]:
    return lambda scene: listed(
        ({"source": identity.name}, pick(identity)) for identity in scene.snapshot.health.identity
    )


def _zone_up(scene: Scene) -> Samples | None:
    return listed(
        ({"zone": total.zone.name, "source": total.zone.source}, int(total.up))
        for total in scene.snapshot.node.zones
    )


def own_cpu_us() -> int:
    """CPU time of this process in microseconds, all threads, kernel included."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return round((usage.ru_utime + usage.ru_stime) * MICROSECONDS_PER_SECOND)


def own_memory_bytes() -> int:
    """Resident memory of this process; 0 when /proc cannot be read.

    Always /proc: ``--procfs`` may be another machine's tree. Source: proc_pid_statm(5).
    """
    try:
        pages = int(Path("/proc/self/statm").read_bytes().split()[1])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * resource.getpagesize()


@cache
def _started_us() -> int:
    """Unix time at which this process started (proc_pid_stat(5), field 22); 0: not known."""
    try:
        ticks = int(Path("/proc/self/stat").read_bytes().rpartition(b")")[2].split()[19])
        boot = Path("/proc/stat").read_bytes().partition(b"btime ")[2].split()[0]
    except (OSError, ValueError, IndexError):
        return 0
    return int(boot) * MICROSECONDS_PER_SECOND + ticks * MICROSECONDS_PER_SECOND // os.sysconf(
        "SC_CLK_TCK"
    )


_CLOCK_NS: Final = NANOSECONDS_PER_MICROSECOND

FAMILIES: Final[tuple[Family, ...]] = (
    gauge("wattribute_build_info", "Version of the agent: 1.", ("version",),
          lambda scene: listed([({"version": scene.node.version}, 1)]), decimals=0),
    gauge("wattribute_snapshot_timestamp_seconds",
          "When the last tick was; time() less this is the age of all values here.", (),
          lambda scene: single(scene.snapshot.wall_ns // _CLOCK_NS)),
    gauge("wattribute_attribution_info", "How the floor is shared: 1.", ("policy",),
          lambda scene: listed([({"policy": scene.snapshot.policy}, 1)]), decimals=0),
    gauge("wattribute_activity_info", "Where the agent sees who ran: 1.", ("source",),
          lambda scene: listed([({"source": scene.snapshot.health.activity}, 1)]), decimals=0),
    gauge("wattribute_meter_up", "1 when the meter gave readings in the last tick, else 0.",
          ("meter",),
          lambda scene: listed(({"meter": meter.name}, int(meter.up))
                               for meter in scene.snapshot.health.meters), decimals=0),
    counter("wattribute_meter_failures_total", "Reads of a meter that failed.", ("meter",),
            lambda scene: listed(({"meter": meter.name}, meter.failures)
                                 for meter in scene.snapshot.health.meters), decimals=0),
    gauge("wattribute_zone_up", "0 after three failed reads of a zone: its energy series end.",
          ("zone", "source"), _zone_up, decimals=0),
    counter("wattribute_activity_failures_total", "Reads of who ran that failed.", (),
            _health(lambda health: health.activity_failures), decimals=0),
    counter("wattribute_activity_dropped_records_total",
            "Records of who ran that were lost (full maps, full rings).", (),
            _health(lambda health: health.dropped_records), decimals=0),
    gauge("wattribute_activity_coverage_ratio",
          "CPU time of all rows over the node's busy time, last tick; 1 when nothing is missed.",
          (), _health(lambda health: millionths(health.coverage))),
    gauge("wattribute_activity_misfit_ratio",
          "CPU time that the fit to packages could not place as their busy times say.", (),
          _health(lambda health: millionths(health.misfit))),
    gauge("wattribute_identity_up",
          "1 when the source of pod names has answered, else 0; what is known stays.",
          ("source",), _identity(lambda identity: int(identity.up)), decimals=0),
    gauge("wattribute_identity_pods", "Pods of this node that the source of pod names knows.",
          ("source",), _identity(lambda identity: identity.pods), decimals=0),
    counter("wattribute_identity_requests_total", "Requests to the source of pod names.",
            ("source",), _identity(lambda identity: identity.requests), decimals=0),
    counter("wattribute_identity_failures_total",
            "Requests to the source of pod names that failed.",
            ("source",), _identity(lambda identity: identity.failures), decimals=0),
    counter("wattribute_dropped_intervals_total",
            "Intervals of a zone that were not counted, by reason.", ("reason",),
            _dropped_intervals, decimals=0),
    counter("wattribute_ticks_total", "Ticks of the monitor.", (),
            _health(lambda health: health.ticks), decimals=0),
    gauge("wattribute_interval_seconds", "Time from tick to tick, as set.", (),
          lambda scene: single(scene.snapshot.interval_ns // _CLOCK_NS)),
    gauge("wattribute_tick_skew_seconds",
          "Time between the first meter's and the last activity's read in the last tick.", (),
          _health(lambda health: health.skew_ns // _CLOCK_NS)),
    gauge("wattribute_tick_cpu_seconds", "CPU time of the last tick, all its work.", (),
          _health(lambda health: health.tick_cpu_ns // _CLOCK_NS)),
    gauge("wattribute_tick_duration_seconds", "Time that the last tick took.", (),
          _health(lambda health: health.tick_wall_ns // _CLOCK_NS)),
    counter("wattribute_bpf_run_seconds_total",
            "Kernel time of our BPF programs; there only with kernel.bpf_stats_enabled.", (),
            _bpf_run),
    counter("wattribute_state_failures_total", "Writes of the state file that failed.", (),
            _health(lambda health: health.state_failures), decimals=0),
    counter("process_cpu_seconds_total", "CPU time of this agent.", (),
            lambda _: single(own_cpu_us())),
    gauge("process_resident_memory_bytes", "Resident memory of this agent.", (),
          lambda _: single(own_memory_bytes()), decimals=0),
    gauge("process_start_time_seconds", "When this agent started, Unix time.", (),
          lambda _: single(_started_us())),
)  # fmt: skip
