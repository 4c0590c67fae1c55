"""The machine, its limits and its meters, which must be equal for two series to be comparable."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wattribute.core.records import Machine, Origin
from wattribute.node.estimates.power_model import open_estimator
from wattribute.node.meter.machine import read_machine
from wattribute.node.settings import NodeSettings
from wattribute.node.sharing.given_floors import floor_policy

if TYPE_CHECKING:
    from wattribute.node.measuring import Measurement

_UNKNOWN: Final = "unknown"


def comparability_key(settings: NodeSettings, runs: "Iterable[Measurement]") -> dict[str, str]:
    """Return the key of runs that were just made on this machine."""
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
        "floor": floor_policy(settings.attribution.idle_policy),
    }


def differences(new: Mapping[str, str], old: Mapping[str, str]) -> list[str]:
    """Describe, in words, what differs between the key of new runs and that of old ones."""
    return [
        f"{name}: {new.get(name, _UNKNOWN)!r} was {old.get(name, _UNKNOWN)!r}"
        for name in sorted(new.keys() | old.keys())
        if new.get(name, _UNKNOWN) != old.get(name, _UNKNOWN)
    ]


def governor(sysfs: Path) -> str:
    """Return the frequency governors of all CPUs (``performance``, ``schedutil``, ...)."""
    files = (sysfs / "devices/system/cpu").glob("cpu[0-9]*/cpufreq/scaling_governor")
    return "+".join(sorted({_text(file) for file in files} - {""})) or _UNKNOWN


def turbo(sysfs: Path) -> str:
    """Return whether clocks above the nominal one are allowed: ``on``, ``off`` or ``unknown``.

    Source: the kernel's Documentation/admin-guide/pm/{intel_pstate,cpufreq}.rst.
    """
    cpu = sysfs / "devices/system/cpu"
    no_turbo = _text(cpu / "intel_pstate/no_turbo")
    if no_turbo in {"0", "1"}:
        return "on" if no_turbo == "0" else "off"
    return {"0": "off", "1": "on"}.get(_text(cpu / "cpufreq/boost"), _UNKNOWN)


def quota(cgroupfs: Path, procfs: Path) -> str:
    """Return how many CPUs this process may use (``2.5``); ``none`` without a limit.

    This is the smallest limit of its cgroup and of all visible cgroups above it.
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
    """Return the cgroup of this process; the root where a namespace hides it (``/../..``)."""
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
