"""Settings -> an open window."""

from pathlib import Path

from wattribute.core.clock import SystemClock
from wattribute.core.errors import ActivityError
from wattribute.core.floor import policy_named
from wattribute.core.records import Topology
from wattribute.node.activity.choose import choose_activity
from wattribute.node.measuring.gpus import GpuWork
from wattribute.node.measuring.kernel_tree import KernelTree
from wattribute.node.measuring.tree import Tree
from wattribute.node.measuring.window import Window
from wattribute.node.meter.choose import choose_meters
from wattribute.node.meter.estimate import EstimateMeter
from wattribute.node.meter.machine import read_machine, read_topology
from wattribute.node.settings import NodeSettings
from wattribute.node.sharing.opening import floor_policy, make_metering, make_sharer


def open_window(
    settings: NodeSettings, tree: Tree, root: int | None = None
) -> tuple[Window, tuple[str, ...]]:
    """Open the meters, and make the first reading; the window, and what its user must know.

    Args:
        settings: which meters, which source of activity.
        tree: the work's processes.
        root: process id of the command, whose children eBPF follows where it can.

    Raises:
        MeterError: a meter that was named cannot be used.
        ConfigInvalid: the settings are wrong.
    """
    procfs, sysfs = Path(settings.activity.procfs), Path(settings.meter.sysfs)
    machine, topology = read_machine(procfs, sysfs), read_topology(sysfs, procfs)
    chosen = choose_meters(settings, machine)
    policy = floor_policy(settings)
    notes = [f"{f.name}: {f.message}" for f in chosen.findings if f.state in ("denied", "failed")]
    if not policy_named(policy).by_use:
        notes.append("the machine's idle power is not in it (--idle-policy usage adds a share)")
    followed = tree if root is None else _followed(settings, topology, tree, root)
    window = Window(
        metering=make_metering(settings, chosen.meters),
        sharer=make_sharer(settings, machine, topology, chosen.meters, "time"),
        policy=policy,
        procfs=procfs,
        topology=topology,
        tree=followed,
        clock=SystemClock(),
        estimates=next((m for m in chosen.meters if isinstance(m, EstimateMeter)), None),
        gpus=GpuWork(chosen.gpus, followed),
    )
    return window, tuple(notes)


def _followed(
    settings: NodeSettings, topology: Topology, tree: Tree, root: int
) -> Tree | KernelTree:
    """The tree as eBPF sees it, where it may be used; else as it is."""
    try:
        activity = choose_activity(settings, topology).activity
    except ActivityError:
        if settings.activity.source != "auto":
            raise
        return tree
    if activity.name in ("tasks", "cycles"):
        return KernelTree(tree, activity, SystemClock(), root)
    activity.close()
    return tree
