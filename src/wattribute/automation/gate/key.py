"""What must be the same for two series to be comparable: the machine, its limits, the meter."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wattribute.core.records import Machine, Origin
from wattribute.node.meter.machine import read_machine
from wattribute.node.meter.power_model import open_estimator
from wattribute.node.settings import NodeSettings
from wattribute.node.sharing.opening import floor_policy

if TYPE_CHECKING:
    from wattribute.node.measuring import Measurement

_UNKNOWN: Final = "unknown"


def comparability_key(settings: NodeSettings, runs: "Iterable[Measurement]") -> dict[str, str]:
    """The key of runs that were just made on this machine."""
    sysfs, procfs = Path(settings.meter.sysfs), Path(settings.activity.procfs)
    machine = read_machine(procfs, sysfs)
    cgroupfs = Path(settings.activity.cgroupfs or sysfs / "fs/cgroup")
    parts = [measured.by_component for measured in runs]
    names = sorted({name for by_component in parts for name in by_component})
    sources = {
        name: "+".join(sorted({s for part in parts if name in part for s in part[name].sources}))
        for name in names
    }
    estimated = any(
        part.origin is Origin.ESTIMATED for by_component in parts for part in by_component.values()
    )
    return {
        "cpu": machine.cpu_name or f"{machine.vendor} {machine.family}/{machine.model}",
        "cpus": f"{len(os.sched_getaffinity(0))} of {machine.threads}",
        "machine": machine.instance_type or _machine(machine.hypervisor),
        "governor": governor(sysfs),
        "turbo": turbo(sysfs),
        "quota": quota(cgroupfs, procfs),
        "meters": " ".join(f"{name}={source}" for name, source in sources.items()) or "none",
        "model": _model(settings, machine) if estimated else "none",
        "floor": floor_policy(settings),
    }


def differences(one: Mapping[str, str], other: Mapping[str, str]) -> list[str]:
    """In words, what is not the same."""
    return [
        f"{name}: {one.get(name, _UNKNOWN)!r} was {other.get(name, _UNKNOWN)!r}"
        for name in sorted(one.keys() | other.keys())
        if one.get(name, _UNKNOWN) != other.get(name, _UNKNOWN)
    ]


def governor(sysfs: Path) -> str:
    """What sets the clock (``performance``, ``schedutil``, ...), of all CPUs."""
    files = (sysfs / "devices/system/cpu").glob("cpu[0-9]*/cpufreq/scaling_governor")
    return "+".join(sorted({_text(file) for file in files} - {""})) or _UNKNOWN


def turbo(sysfs: Path) -> str:
    """Whether clocks above the nominal one are allowed: ``on``, ``off`` or ``unknown``.

    Documentation/admin-guide/pm/{intel_pstate,cpufreq}.rst.
    """
    cpu = sysfs / "devices/system/cpu"
    said = _text(cpu / "intel_pstate/no_turbo")
    if said in {"0", "1"}:
        return "on" if said == "0" else "off"
    return {"0": "off", "1": "on"}.get(_text(cpu / "cpufreq/boost"), _UNKNOWN)


def quota(cgroupfs: Path, procfs: Path) -> str:
    """How many CPUs' worth of time this process may have (``2.5``); ``none`` without a limit.

    The least of its cgroup's and all those above it that can be seen.
    """
    path = _cgroup_path(procfs)
    folders = [cgroupfs, cgroupfs / "cpu", cgroupfs / "cpu,cpuacct"]
    limits = []
    for root in folders:
        for place in (path, *path.parents):
            folder = root / place.relative_to("/")
            most, _, period = _text(folder / "cpu.max").partition(" ")
            most = most or _text(folder / "cpu.cfs_quota_us")
            period = period or _text(folder / "cpu.cfs_period_us")
            if most.isdigit() and period.isdigit() and int(period):
                limits.append(int(most) / int(period))
    return f"{min(limits):g}" if limits else "none"


def _cgroup_path(procfs: Path) -> Path:
    """Our own cgroup; the root's where a namespace hides it (``/../..``)."""
    for line in _text(procfs / "self/cgroup").splitlines():
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        if (controllers == "" or "cpu" in controllers.split(",")) and ".." not in path:
            return Path("/") / path.lstrip("/")
    return Path("/")


def _machine(hypervisor: str) -> str:
    return {"": "bare metal", _UNKNOWN: "virtual"}.get(hypervisor, hypervisor)


def _model(settings: NodeSettings, machine: Machine) -> str:
    info = open_estimator(settings, machine).explain(machine)
    calibrated = " calibrated" if info.calibrated else ""
    return f"{info.model} {info.version} {info.profile}{calibrated}"


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""
