"""The meter where there is none: a power model fed with the machine's load."""

import os
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final, Protocol

from wattribute.core.errors import MeterAbsent, MeterDenied, MeterFailed
from wattribute.core.records import Estimate, EstimatorInfo, Load, Machine, Reading, Zone
from wattribute.core.units import NANOSECONDS_PER_SECOND, Nanoseconds, watts
from wattribute.node.estimator import Estimator
from wattribute.node.estimator.observed import Observations

SOURCE = "trained_power_model"

_KIND_OF_COMPONENT: Final = {"cpu": "package", "dram": "dram", "other": "other"}
COMPONENTS: Final = tuple(_KIND_OF_COMPONENT)


class LoadReader:
    """Utilisation of the node between two reads, from /proc/stat.

    Source: proc_stat(5): user time contains guest time, so it is not added again.
    """

    def __init__(self, procfs: Path) -> None:
        """Open ``stat`` below ``procfs``.

        Raises:
            OSError: it cannot be opened.
        """
        self._path = procfs / "stat"
        self._fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        self._ns_per_tick = NANOSECONDS_PER_SECOND // os.sysconf("SC_CLK_TCK")
        self._before: tuple[int, int] | None = None
        self._utilisation = 0.0

    def read(self, now_ns: Nanoseconds) -> Load:
        """Return the load since the read before.

        The first time, and when no clock tick has passed: of no time, with the
        utilisation of the read before (0 at first).

        Raises:
            OSError: the file cannot be read.
            ValueError: it is not what /proc/stat looks like.
        """
        busy_ticks, cpus = busy_of(os.pread(self._fd, 1 << 20, 0))
        busy_ns = busy_ticks * self._ns_per_tick
        before_ns, before_busy_ns = self._before or (now_ns, busy_ns)
        elapsed_ns = now_ns - before_ns
        if self._before is None or elapsed_ns >= self._ns_per_tick:
            self._before = now_ns, busy_ns
        if elapsed_ns >= self._ns_per_tick:
            share = (busy_ns - before_busy_ns) / (cpus * elapsed_ns)
            self._utilisation = min(1.0, max(0.0, share))
        return Load(Nanoseconds(max(0, elapsed_ns)), self._utilisation)

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)


def busy_of(stat: bytes) -> tuple[int, int]:
    """Return user + nice + system + irq + softirq in clock ticks, and the number of CPUs online.

    Raises:
        ValueError: this is not /proc/stat.
    """
    head = stat.partition(b"\nintr")[0]
    label, *fields = head.partition(b"\n")[0].split()
    cpus = head.count(b"\ncpu")
    if label != b"cpu" or len(fields) < 7 or not all(f.isdigit() for f in fields) or not cpus:
        raise ValueError("it does not begin with a line of CPU times")
    user, nice, system, _idle, _iowait, irq, softirq = (int(field) for field in fields[:7])
    return user + nice + system + irq + softirq, cpus


class Updates(Protocol):
    """Where newer models come from; a thread of its own."""

    def news(self) -> Estimator | None:
        """The newest model, once; None: there is none since the call before. Never waits."""
        ...

    def close(self) -> None:
        """Stop."""
        ...


class EstimateMeter:
    """One zone per component, for the whole node: what a model says of this machine and load.

    It stands by for components that are measured: ``fill`` says which of them it gives, too.
    """

    name = "estimate"

    def __init__(
        self,
        estimator: Estimator,
        machine: Machine,
        procfs: Path,
        components: Iterable[str] = COMPONENTS,
        standby: Iterable[str] = (),
    ) -> None:
        """Prepare to estimate those of ``components`` that the model knows on this machine.

        Args:
            estimator: the model.
            machine: what it is told of the machine.
            procfs: where ``stat`` is.
            components: those without a meter.
            standby: those whose meter may fail later.

        Raises:
            MeterAbsent: the model knows none of them.
            MeterDenied: /proc/stat may not be read.
            MeterFailed: there is no /proc/stat.
        """
        self._shipped = self._estimator = estimator
        self._machine = machine
        self._observed = Observations()
        self._updates: Updates | None = None
        self._utilisation = 0.0
        known = estimator.predict(machine, Load(Nanoseconds(0), 0.0))
        asked = (*components, *standby)
        zones = {c: Zone(_KIND_OF_COMPONENT[c], "0", SOURCE) for c in asked if c in known}
        if not zones:
            raise MeterAbsent(f"{estimator.name} knows nothing of {', '.join(asked)} here")
        self._always = {c: zone for c, zone in zones.items() if c in components}
        self._standby = {c: zone for c, zone in zones.items() if c not in self._always}
        self._zones = dict(self._always)
        try:
            self._load = LoadReader(procfs)
        except OSError as exc:
            kind = MeterDenied if isinstance(exc, PermissionError) else MeterFailed
            raise kind(f"{procfs}/stat: {exc.strerror}; is procfs mounted there?") from exc
        self._problems: tuple[str, ...] = ()

    @property
    def zones(self) -> tuple[Zone, ...]:
        """One per component that is estimated now."""
        return tuple(self._zones.values())

    def fill(self, components: Collection[str]) -> None:
        """Stand in for those of ``components`` that it stands by for, and for no others."""
        filled = {c: zone for c, zone in self._standby.items() if c in components}
        self._zones = {**self._always, **filled}

    @property
    def problems(self) -> tuple[str, ...]:
        """What was wrong the last time."""
        return self._problems

    def read(self, now_ns: Nanoseconds) -> tuple[Reading, ...]:
        """Return the mean power since the read before; the first time, of an idle machine.

        Raises:
            MeterFailed: /proc/stat cannot be read. The next read covers the time of both.
        """
        try:
            load = self._load.read(now_ns)
        except (OSError, ValueError) as exc:
            self._problems = (f"stat: {exc}; tried again at every reading",)
            raise MeterFailed(f"estimate: {self._problems[0]}") from exc
        self._problems = ()
        if self._updates is not None and (newer := self._updates.news()) is not None:
            self._shipped = newer
            known = self._observed.readings()
            self._estimator = newer.calibrated(known) if known else newer
        return self.estimated(load, now_ns)

    def estimated(self, load: Load, now_ns: Nanoseconds) -> tuple[Reading, ...]:
        """Return what the model says of a load, whoever knows it."""
        self._utilisation = load.utilisation
        if not self._zones:
            return ()
        powers = self._estimator.predict(self._machine, load)
        return tuple(
            Reading(
                zone,
                now_ns,
                Estimate(p.idle_uw, p.dynamic_uw, p.low_uw, p.high_uw, p.basis),
            )
            for component, zone in self._zones.items()
            if (p := powers.get(component)) is not None
        )

    @property
    def info(self) -> EstimatorInfo:
        """What the estimates rest on."""
        return self._estimator.explain(self._machine)

    @property
    def notes(self) -> tuple[str, ...]:
        """What is known of this machine, for ``doctor``; one line."""
        info = self.info
        kind = f"({info.microarchitecture})" if info.microarchitecture else ""
        cpu = f"{info.cpu} {kind}".strip()
        parts = [
            f"{info.model} {info.version}: {cpu or 'an unknown CPU'}",
            f"{info.share:.1%} of its host" if self._machine.hypervisor else "",
            info.instance_type,
            "calibrated" if info.calibrated else "",
            f"wide band, because: {', '.join(info.why_wide)}" if info.why_wide else "",
        ]
        return ("; ".join(part for part in parts if part),)

    @property
    def machine(self) -> Machine:
        """What is estimated, with all that is known of it by now."""
        return self._machine

    def follow(self, updates: Updates) -> None:
        """Take newer models from there, between two reads; takes it over."""
        self._updates = updates

    def tell_instance_type(self, instance_type: str) -> None:
        """Take the cluster's word for what machine this is; it counts from the next read on."""
        if instance_type and instance_type != self._machine.instance_type:
            self._machine = replace(self._machine, instance_type=instance_type)

    def observe(self, powers_uw: Mapping[str, int]) -> None:
        """Learn from what other meters measured in the tick that was read last.

        Args:
            powers_uw: mean power by scope: ``pkg`` (all packages), ``dram``, ``wall``.
        """
        for scope, power_uw in powers_uw.items():
            self._observed.add(scope, self._utilisation, watts(power_uw))
        if news := self._observed.news():
            self._estimator = self._shipped.calibrated(news)

    def close(self) -> None:
        """Close /proc/stat, and ask for no more models."""
        if self._updates is not None:
            self._updates.close()
        self._load.close()
