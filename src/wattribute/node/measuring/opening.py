"""Settings -> an open window."""

from pathlib import Path

from wattribute.core.clock import SystemClock
from wattribute.core.errors import ActivityError
from wattribute.core.floor import policy_named
from wattribute.core.records import Topology
from wattribute.node.activity.choose import choose_activity
from wattribute.node.measuring.gpus import GpuWork
from wattribute.node.measuring.kernel_tree import KernelTree
from wattribute.node.measuring.tree import ProcessTree
from wattribute.node.measuring.window import Window
from wattribute.node.settings import NodeSettings
from wattribute.node.sharing.given_floors import floor_policy
from wattribute.node.sources import open_sources


def open_window(
    settings: NodeSettings, tree: ProcessTree, root: int | None = None
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
    sources = open_sources(settings)
    policy = floor_policy(settings.attribution.idle_policy)
    notes = [f"{f.name}: {f.message}" for f in sources.findings if f.state in ("denied", "failed")]
    if not policy_named(policy).by_use:
        notes.append("Idle power is not included; --idle-policy usage adds this command's share.")
    followed = tree if root is None else _followed(settings, sources.topology, tree, root)
    window = Window(
        sources,
        Path(settings.activity.procfs),
        followed,
        SystemClock(),
        policy=policy,
        gpus=GpuWork(sources.gpus, followed),
    )
    return window, tuple(notes)


def _followed(
    settings: NodeSettings, topology: Topology, tree: ProcessTree, root: int
) -> ProcessTree | KernelTree:
    """Return the tree as eBPF sees it, where it may be used; else as it is."""
    try:
        choice = choose_activity(settings, topology)
    except ActivityError:
        if settings.activity.source != "auto":
            raise
        return tree
    if choice.backend.sees_short_lived:
        return KernelTree(tree, choice.activity, SystemClock(), root)
    choice.activity.close()
    return tree
