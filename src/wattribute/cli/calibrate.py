"""``wattribute calibrate``: one measured number makes the estimates fit this machine."""

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
import msgspec

from wattribute.cli.options import MEASURING, with_settings
from wattribute.cli.terminal import TerminalColumn, print_table
from wattribute.core.errors import ConfigInvalid, MeterAbsent
from wattribute.node.settings import NodeSettings
from wattribute.settings import Settings

if TYPE_CHECKING:
    from wattribute.core.records import Machine
    from wattribute.node.estimator.calibration import Measured
    from wattribute.node.estimator.model import ArtefactEstimator

_DEFAULT: Final = Path("/var/lib/wattribute/calibration.json")
_COLUMNS: Final = (
    TerminalColumn("LOAD %", right=True),
    TerminalColumn("BEFORE W", right=True),
    TerminalColumn("AFTER W", right=True),
    TerminalColumn("BAND W", right=True),
)
_SHOWN: Final = (0.0, 0.25, 0.5, 0.75, 1.0)
_SCOPE_OF_KIND: Final = {"package": "pkg", "dram": "dram", "platform": "wall"}
_SCOPES: Final = {"machine": "wall", "cpu": "pkg", "dram": "dram"}


@click.command()
@click.option("--idle", type=float, metavar="W", help="Watts while the machine is idle.")
@click.option("--full", type=float, metavar="W", help="Watts while all its CPUs are busy.")
@click.option(
    "--of",
    type=click.Choice(list(_SCOPES)),
    default="machine",
    show_default=True,
    help="What the watts are of: the whole machine (wall meter or BMC), the CPUs, or the memory.",
)
@click.option(
    "--meter",
    "seconds",
    type=click.IntRange(1, 3600),
    metavar="SECONDS",
    help="Measure now for this many seconds, with the meters of this machine.",
)
@click.option(
    "--file",
    type=click.Path(path_type=Path, dir_okay=False),
    help=f"Calibration file to write  [estimator.calibration; default: {_DEFAULT}]",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_settings(*MEASURING)
def calibrate(
    *,
    settings: Settings,
    idle: float | None,
    full: float | None,
    of: str,
    seconds: int | None,
    file: Path | None,
    as_json: bool,
) -> int:
    r"""Correct the estimates with power that was measured once on this machine.

    Enter what a wall meter, a BMC or another instrument shows when the machine is idle, at full
    load, or both; or measure with a meter of this machine. The agent uses the file that the setting
    estimator.calibration names. A virtual machine cannot be calibrated, because no instrument shows
    its part of the host.

    \b
    Examples:
      wattribute calibrate --idle 142 --full 395    what a wall meter showed
      wattribute calibrate --of cpu --idle 31
      wattribute calibrate --meter 60               with this machine's own meters
    """
    from wattribute.node.estimates.power_model import (
        open_estimator,
        read_calibration,
        write_calibration,
    )
    from wattribute.node.estimator.calibration import Measured
    from wattribute.node.meter.machine import read_machine

    scope = _SCOPES[of]
    node = settings.node
    machine = read_machine(Path(node.activity.procfs), Path(node.meter.sysfs))
    if machine.hypervisor:
        raise MeterAbsent(
            "calibrate: this is a virtual machine, and no instrument shows its part of the host; "
            "set estimator.instance_type or estimator.tdp_watts to tell more of the host"
        )
    typed = [Measured(u, w, scope) for u, w in ((0.0, idle), (1.0, full)) if w is not None]
    if any(not 0 < one.watts < float("inf") for one in typed):
        raise ConfigInvalid("calibrate: --idle and --full are watts, more than 0")
    if idle is not None and full is not None and full <= idle:
        raise ConfigInvalid(f"calibrate: {full:g} W at full load is not more than {idle:g} W idle")
    if seconds is not None:
        typed += _measured_now(node, seconds)
    if not typed:
        raise ConfigInvalid(
            "calibrate: no power given. Pass --idle W, --full W, or --meter SECONDS."
        )
    path = file or (Path(node.estimator.calibration) if node.estimator.calibration else _DEFAULT)
    old = read_calibration(path)
    kept = tuple(one for one in old if not _replaced(one, typed))
    room = msgspec.structs.replace(node.estimator, calibration="")
    without = msgspec.structs.replace(node, estimator=room)
    plain = open_estimator(without, machine)
    before, after = plain.calibrated(old), plain.calibrated((*kept, *typed))
    try:
        write_calibration(path, (*kept, *typed))
    except OSError as exc:
        raise ConfigInvalid(f"calibrate: {path}: {exc.strerror}; name another with --file") from exc
    _report(machine, before, after, path, as_json=as_json)
    if node.estimator.calibration != str(path):
        click.echo(f"To use it, set estimator.calibration: {path}", err=True)
    return 0


def _measured_now(settings: NodeSettings, seconds: int) -> "list[Measured]":
    """What this machine's own meters show over some seconds.

    Raises:
        MeterAbsent: there is none of its packages, its memory or the whole of it.
    """
    import sys
    import time

    from wattribute.core.records import Origin
    from wattribute.core.units import Nanoseconds, watts
    from wattribute.node import agent as house
    from wattribute.node.activity.cpustat import CpuStat
    from wattribute.node.activity.node import NodeTimes
    from wattribute.node.estimator.calibration import Measured
    from wattribute.node.meter.machine import read_topology

    procfs = Path(settings.activity.procfs)
    topology = read_topology(Path(settings.meter.sysfs), procfs)
    times = NodeTimes(CpuStat(procfs, topology), topology)
    try:
        with house.local_monitor(settings) as monitor:
            monitor.tick()
            times.advance(Nanoseconds(time.monotonic_ns()))
            with click.progressbar(range(seconds), label="measuring", file=sys.stderr) as bar:
                for _ in bar:
                    time.sleep(1)
            monitor.tick()
            utilisation = times.advance(Nanoseconds(time.monotonic_ns())).load.utilisation
            snapshot = monitor.snapshot()
    finally:
        times.close()
    sums: dict[str, float] = {}
    for total in snapshot.node.zones if snapshot else ():
        scope = _SCOPE_OF_KIND.get(total.zone.kind)
        if scope and total.up and total.origin is not Origin.ESTIMATED:
            sums[scope] = sums.get(scope, 0.0) + watts(total.power_uw)
    found = [Measured(utilisation, power_w, scope) for scope, power_w in sums.items() if power_w]
    if not found:
        raise MeterAbsent(
            "calibrate: no meter of CPU packages, memory or the whole machine works here; "
            "`wattribute doctor` says why; or type in a number with --idle"
        )
    return found


def _replaced(old: "Measured", new: "list[Measured]") -> bool:
    """Whether a reading at about the same load takes its place."""
    return any(
        one.scope == old.scope and abs(one.utilisation - old.utilisation) < 0.1 for one in new
    )


def _report(
    machine: "Machine",
    before: "ArtefactEstimator",
    after: "ArtefactEstimator",
    path: Path,
    *,
    as_json: bool,
) -> None:
    one, other = before.host_model(machine).wall, after.host_model(machine).wall
    rows = [(load, one.at(load)[0], *other.at(load)) for load in _SHOWN]
    if as_json:
        names = ("load", "before_watts", "watts", "low_watts", "high_watts")
        levels = [dict(zip(names, row, strict=True)) for row in rows]
        body = {"file": str(path), "machine": levels}
        click.echo(msgspec.json.format(msgspec.json.encode(body)).decode())
        return
    table = [
        (f"{load:.0%}".rstrip("%"), f"{was:.0f}", f"{now:.0f}", f"{low:.0f} to {high:.0f}")
        for load, was, now, low, high in rows
    ]
    click.echo("the whole machine at the wall:")
    print_table(_COLUMNS, table)
    click.echo(f"kept in {path}")
