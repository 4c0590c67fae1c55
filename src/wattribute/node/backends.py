"""The tables of backends: every meter and every source of activity, by name.

This module knows names only, so the settings take their allowed words from here and nothing is
imported for it. The facts of a backend, and how it is opened, stand in the backend's own module.
"""

from typing import Final

from wattribute.core.registry import Registry

METERS: Final = Registry(
    "meter",
    "wattribute.node.meter",
    {
        "replay": ("replay:BACKEND", "A recorded run of another machine."),
        "rapl": ("rapl:BACKEND", "CPU packages and DRAM, by the processor's own counters."),
        "hwmon": ("hwmon:BACKEND", "CPU packages and the platform, by hardware monitoring chips."),
        "nvml": ("nvml:BACKEND", "NVIDIA GPUs, by the driver's library."),
        "amdsmi": ("amdsmi:BACKEND", "AMD GPUs, by ROCm's library."),
        "drm": ("drm:BACKEND", "Intel and AMD GPUs, by the kernel's drivers."),
        "redfish": ("redfish:BACKEND", "The whole machine, by its BMC over the network."),
        "ipmi": ("ipmi:BACKEND", "The whole machine, by its BMC from inside."),
    },
)
"""All meters, best first: a component has one meter, the first in this order that measures it.
``ipmi`` asks the same BMC as ``redfish``, and is left out where that or hwmon sees the machine."""

ESTIMATE: Final = "estimate"
"""Stands beside the meters in ``--meters`` and in wattribute_meter_* metrics, and is no meter."""

ACTIVITY_SOURCES: Final = Registry(
    "source of activity",
    "wattribute.node.activity",
    {
        "cycles": ("cycles:BACKEND", "CPU time and hardware counters, at each context switch."),
        "tasks": ("tasks:BACKEND", "CPU time of every process, from the scheduler's books."),
        "cgroup": ("cgroup:BACKEND", "CPU time of cgroups, and of processes from /proc."),
        "procfs": ("procfs:BACKEND", "CPU time of processes, from /proc alone."),
    },
)
"""All sources of activity, best first: ``auto`` takes the first that works."""
