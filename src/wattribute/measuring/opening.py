"""Settings -> an open window."""

from pathlib import Path

from wattribute.clock import SystemClock
from wattribute.measuring.tree import Tree
from wattribute.measuring.window import Window
from wattribute.meter.choose import choose_meters
from wattribute.meter.machine import read_machine, read_topology
from wattribute.monitor.opening import floor_policy, make_metering, make_sharer
from wattribute.settings import Settings


def open_window(settings: Settings, tree: Tree) -> tuple[Window, tuple[str, ...]]:
    """Open the meters, and make the first reading; the window, and what its user must know.

    Raises:
        MeterError: a meter that was named cannot be used.
        ConfigInvalid: the settings are wrong.
    """
    procfs, sysfs = Path(settings.activity.procfs), Path(settings.meter.sysfs)
    machine, topology = read_machine(procfs, sysfs), read_topology(sysfs, procfs)
    chosen = choose_meters(settings, machine)
    policy = floor_policy(settings)
    notes = [f"{f.name}: {f.message}" for f in chosen.findings if f.state in ("denied", "failed")]
    if policy not in ("usage", "full"):
        notes.append("the machine's idle power is not in it (--idle-policy usage adds a share)")
    window = Window(
        metering=make_metering(settings, chosen.meters),
        sharer=make_sharer(settings, machine, topology, chosen.meters, "time"),
        policy=policy,
        procfs=procfs,
        topology=topology,
        tree=tree,
        clock=SystemClock(),
    )
    return window, tuple(notes)
