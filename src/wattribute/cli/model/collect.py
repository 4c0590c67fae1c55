"""``wattribute model collect``: what this machine draws under which load -> a recording."""

import platform
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from wattribute.cli.number import Number
from wattribute.cli.options import MEASURING, OUT, with_settings
from wattribute.cli.terminal import TerminalColumn, print_table
from wattribute.cli.waiting import PATIENCE_S, interruptible, progress
from wattribute.core.errors import ConfigInvalid, MeterAbsent
from wattribute.core.units import watts
from wattribute.node.settings import NodeSettings
from wattribute.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wattribute.core.clock import Clock
    from wattribute.core.records import Machine
    from wattribute.models.recording.recorder import Recorder
    from wattribute.node.estimator.power_recording import LoadPoint, Recording

_LEVELS: Final = "0,10,20,30,40,50,60,70,80,90,100"
_COLUMNS: Final = (
    TerminalColumn("OF"),
    *(TerminalColumn(name, right=True) for name in ("LOAD %", "WATTS", "SECONDS")),
)
_OF: Final = {"wall": "machine", "pkg": "packages", "dram": "memory"}
_LEAST_TDP_W: Final = 1.0
_MOST_TDP_W: Final = 2000.0


@click.command()
@OUT
@click.option(
    "--operation",
    "minutes",
    type=Number(min=0.05, max=10_080),
    metavar="MINUTES",
    help="Create no load: record what runs anyway, for this long or until Ctrl-C.",
)
@click.option(
    "--levels",
    default=_LEVELS,
    show_default=True,
    metavar="PERCENT,...",
    help="Steps of CPU load, in percent.",
)
@click.option(
    "--seconds",
    "step_s",
    type=Number(min=1, max=3600),
    default=30.0,
    show_default=True,
    help="Seconds to measure each step. Use 120 or more if the meter is a BMC.",
)
@click.option(
    "--settle",
    "settle_s",
    type=Number(min=0, max=3600),
    default=10.0,
    show_default=True,
    help="Seconds to wait before each step is measured, until the power is steady.",
)
@with_settings(*MEASURING)
def collect(
    *,
    settings: Settings,
    out: Path,
    minutes: float | None,
    levels: str,
    step_s: float,
    settle_s: float,
) -> int:
    """Record the power of this machine at different loads, with its own meters.

    The command loads all CPUs in eleven steps from 0 to 100 % (7 minutes), so run it on a machine
    without other work. With --operation it records what runs anyway. Train the power model with the
    file:

      wattribute model collect --out recordings/$(hostname).json

      wattribute model train --recordings recordings/ --out power-model.json

    Ctrl-C ends it early and keeps the points so far. Exit code: 0; 1 if nothing was recorded;
    5 without a meter, or on a virtual machine.
    """
    from wattribute.node.estimator.power_recording import encode_recording
    from wattribute.node.meter.machine import read_machine

    machine = read_machine(Path(settings.node.activity.procfs), Path(settings.node.meter.sysfs))
    if machine.hypervisor:
        raise MeterAbsent(
            "model collect: this is a virtual machine, whose meters do not show its host; "
            "run it on bare metal with the same CPU"
        )
    if not out.parent.is_dir():
        raise ConfigInvalid(f"--out {out}: there is no folder {out.parent}")
    loads = _levels(levels)
    if minutes is None:
        points = _record_steps(settings.node, loads, step_s, settle_s)
    else:
        points = _record_operation(settings.node, minutes * 60)
    if not points:
        click.echo(
            "Nothing recorded: the command ended too early, or the meters did not change.", err=True
        )
        return 1
    recording = _recording(settings.node, machine, points, operation=minutes is not None)
    try:
        out.write_bytes(encode_recording(recording))
    except OSError as exc:
        raise ConfigInvalid(f"--out {out}: {exc.strerror}") from exc
    _print_points(points)
    click.echo(f"{out}: {len(points)} points")
    if minutes is None:
        _warn_of_other_work(points, loads)
    return 0


def _record_operation(settings: NodeSettings, total_s: float) -> "list[LoadPoint]":
    """Record what runs anyway."""
    from wattribute.core.clock import SystemClock
    from wattribute.models.recording.recorder import record_operation

    clock = SystemClock()
    with (
        interruptible() as wait,
        _recorder(settings, clock) as recorder,
        progress(total_s) as tell,
    ):
        return record_operation(
            recorder, for_s=total_s, wait=wait, clock=clock, tell=lambda s: tell(s, "operation")
        )


def _record_steps(
    settings: NodeSettings, loads: tuple[float, ...], step_s: float, settle_s: float
) -> "list[LoadPoint]":
    """Load all CPUs step by step, and record each step."""
    from wattribute.core.clock import SystemClock
    from wattribute.models.recording.recorder import record_steps
    from wattribute.models.recording.stress import Stress

    clock = SystemClock()
    each_s = settle_s + step_s
    with (
        interruptible() as wait,
        _recorder(settings, clock) as recorder,
        progress(len(loads) * each_s) as tell,
        Stress() as stress,
    ):
        return record_steps(
            recorder,
            loads,
            stress,
            step_s=step_s,
            settle_s=settle_s,
            wait=wait,
            clock=clock,
            tell=lambda level, s: tell(loads.index(level) * each_s + s, f"{level:.0%} load"),
        )


def _print_points(points: "list[LoadPoint]") -> None:
    rows = [
        [_OF[p.scope], f"{p.utilisation * 100:.0f}", f"{p.watts:.1f}", f"{p.seconds:.0f}"]
        for p in sorted(points, key=lambda p: (p.scope, p.utilisation))
    ]
    print_table(_COLUMNS, rows)


def _warn_of_other_work(points: "list[LoadPoint]", loads: tuple[float, ...]) -> None:
    """Warn if the loads that were measured span less than half of those that were asked for."""
    measured = [p.utilisation for p in points]
    if max(measured) - min(measured) < (max(loads) - min(loads)) / 2:
        click.echo(
            f"The loads should be {min(loads):.0%} to {max(loads):.0%}, and were "
            f"{min(measured):.0%} to {max(measured):.0%}: other work runs on this machine. "
            "Repeat the command when the machine is free.",
            err=True,
        )


def _levels(text: str) -> tuple[float, ...]:
    try:
        found = tuple(dict.fromkeys(float(part) / 100 for part in text.split(",")))
    except ValueError:
        found = ()
    if not found or not all(0 <= level <= 1 for level in found):
        raise ConfigInvalid(f"--levels {text}: numbers from 0 to 100 with commas, as 0,50,100")
    return found


@contextmanager
def _recorder(settings: NodeSettings, clock: "Clock") -> "Iterator[Recorder]":
    from wattribute.models.recording.recorder import Recorder
    from wattribute.node.activity.cpustat import CpuStat
    from wattribute.node.activity.node import NodeTimes
    from wattribute.node.sources import open_sources

    with closing(open_sources(settings, patience_s=PATIENCE_S)) as sources:
        cpustat = CpuStat(Path(settings.activity.procfs), sources.topology)
        with closing(NodeTimes(cpustat, sources.topology)) as times:
            metering = sources.energy.metering
            yield Recorder(metering, metering.zones, times, clock)


def _recording(
    settings: NodeSettings, machine: "Machine", points: "list[LoadPoint]", *, operation: bool
) -> "Recording":
    from wattribute import __version__
    from wattribute.node.estimator.power_recording import SCHEMA, Recording

    try:
        own_id = Path("/etc/machine-id").read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        own_id = ""
    own_id = own_id or settings.workload.node_name or platform.node()
    return Recording(
        schema=SCHEMA,
        version=__version__,
        recorded_at=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        how="operation" if operation else "steps",
        machine_digest=sha256(f"wattribute recording {own_id}".encode()).hexdigest()[:16],
        machine=machine,
        tdp_watts=settings.estimator.tdp_watts or _tdp_watts(Path(settings.meter.sysfs)),
        points=points,
    )


def _tdp_watts(sysfs: Path) -> float:
    """The TDP of the first package, where RAPL tells it; else 0.

    Source: Linux Documentation/power/powercap/powercap.rst, constraint_X_max_power_uw; of the long
    term's constraint it is the thermal specification power (Intel SDM, MSR_PKG_POWER_INFO).
    """
    from wattribute.node.meter.rapl import package_of, powercap_zones

    for zone in powercap_zones(sysfs):
        try:
            if package_of((zone / "name").read_text().strip()) is None:
                continue
            tdp_w = watts(int((zone / "constraint_0_max_power_uw").read_text()))
        except (OSError, ValueError):
            continue
        return tdp_w if _LEAST_TDP_W <= tdp_w <= _MOST_TDP_W else 0.0
    return 0.0
