"""What a plant simulates: a machine with its watts, and the work that runs on it."""

import math
import random
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct

from wattribute.core.errors import ConfigInvalid

Positive = Annotated[float, Meta(gt=0)]
NotNegative = Annotated[float, Meta(ge=0)]
Profile = float | tuple[tuple[float, float], ...]
"""A constant, or points (seconds since the start, value) in order of time with straight lines
between them; before the first and after the last point the value stays."""

_SWITCH_S: Final = 0.001
_MOST_POINTS: Final = 4096
"""What a burner takes."""
RESERVED_ROWS: Final = frozenset({"floor", "rest", "noise", "board"})


class _Part(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A part of a scenario; an unknown key in it is an error."""


class Levels(_Part, frozen=True):
    """A load that stays for some time and is then drawn anew, evenly between two bounds."""

    every_s: Positive = 20.0
    low: Annotated[float, Meta(ge=0, le=1)] = 0.1
    high: Annotated[float, Meta(ge=0, le=1)] = 1.0
    seed: int = 1
    """The same seed gives the same levels; give each command its own, or they move as one."""
    for_s: Positive = 3600.0
    """Afterwards the last level stays."""


class Burn(_Part, frozen=True, tag="burn", tag_field="kind"):
    """Steady processes that use a part of one CPU each; a ramp when ``load`` has points."""

    load: Profile | Levels = 1.0
    """CPU time per time, 0 to 1 (single-threaded); points count from the command's own start."""
    count: Annotated[int, Meta(ge=1)] = 1
    start_s: NotNegative = 0.0
    stop_s: Positive | None = None
    """Both since the start of the plant; None: until its end."""


class Churn(_Part, frozen=True, tag="churn", tag_field="kind"):
    """Short-lived processes, one after the other in each of some lanes."""

    processes: Annotated[int, Meta(ge=1)] = 1000
    """In all lanes together."""
    burst_ms: Positive = 5.0
    """CPU time of each."""
    per_second: NotNegative = 0.0
    """At most so many are started in a second, all lanes together; 0: as fast as it goes."""
    lanes: Annotated[int, Meta(ge=1)] = 1
    start_s: NotNegative = 0.0
    stop_s: Positive | None = None


class Run(_Part, frozen=True, tag="run", tag_field="kind"):
    """Any command. Without a cgroup its children are seen when it has reaped them and ended."""

    argv: Annotated[tuple[str, ...], Meta(min_length=1)]
    count: Annotated[int, Meta(ge=1)] = 1
    start_s: NotNegative = 0.0
    stop_s: Positive | None = None


Command = Burn | Churn | Run


class Group(_Part, frozen=True):
    """Processes that are charged together: a container, where cgroups can be made."""

    name: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.-]{1,15}$")]
    """Row of the truth, and the processes' name in the kernel (so at most 15 bytes)."""
    watts_per_core: Profile = 4.0
    """Power of one CPU while this group runs on it (package zone)."""
    dram_watts_per_core: Profile = 0.5
    cgroup: str = "/docker/{id}"
    """Path in the hierarchy; ``{id}`` becomes 64 hex digits. "": none, only processes."""
    cpus: tuple[int, ...] = ()
    """CPUs that the group may run on; empty: all."""
    commands: tuple[Command, ...] = ()


class Fault(_Part, frozen=True):
    """A sensor that fails for some time; its energy goes on behind the failure."""

    zone: str
    """``package-0``, ``dram-0``, ``psys``, ..."""
    at_s: NotNegative
    for_s: Positive
    kind: Literal["empty", "garbage", "denied", "vanish"] = "empty"
    """What a reader finds: nothing, not a number, a file that it may not open, no zone at all."""


class Scenario(_Part, frozen=True):
    """A machine and its work."""

    sockets: Annotated[int, Meta(ge=1)] = 1
    """The real CPUs are dealt out to so many simulated packages, in equal runs of numbers."""
    floor_watts: NotNegative = 10.0
    """Of each package, whatever runs."""
    rest_watts_per_core: Profile = 4.0
    """Power of a CPU while it runs anything that the plant did not start: row ``rest``."""
    dram: bool = True
    dram_floor_watts: NotNegative = 2.0
    rest_dram_watts_per_core: Profile = 0.5
    core: bool = False
    """Add a core zone per package: its dynamic part."""
    uncore: bool = False
    """Add an uncore zone per package: its floor."""
    psys: bool = False
    """Add a platform zone: all packages and DRAM, and the board."""
    board_watts: NotNegative = 15.0
    """The part of psys that is neither package nor DRAM."""
    start_uj: Annotated[int, Meta(ge=0)] = 4_567_890_123
    """What all counters show at first: life before the agent, which belongs to nobody."""
    wraps_at_uj: Annotated[int, Meta(ge=1)] = 262_143_328_850
    """max_energy_range_uj, as on an Intel server."""
    resets_at_s: tuple[NotNegative, ...] = ()
    """Instants at which all counters restart from 0, as after a driver reload."""
    noise: Annotated[float, Meta(ge=0, le=0.5)] = 0.0
    """Standard deviation of a package's power from step to step, as a part of it; nobody's
    doing, so it has a row of its own: ``noise``."""
    seed: int = 1
    corun_factor: Annotated[float, Meta(gt=0, le=1)] = 1.0
    """What a CPU's watts fall to while its SMT sibling is busy too. Below 1 CPUs are paired as
    siblings: (0, 1), (2, 3), ..."""
    full_load_factor: Annotated[float, Meta(gt=0, le=1)] = 1.0
    """What every CPU's watts fall to while all CPUs of its package are busy, as clocks do; with
    less load by less, in proportion. Below 1 a package's power is a concave curve of its load."""
    cap_watts: Positive | None = None
    """The firmware holds each package at this power: the energy of all who run shrinks alike. It
    is also the package's limit in the tree, as powercap shows it."""
    faults: tuple[Fault, ...] = ()
    step_s: Annotated[float, Meta(ge=0.005, le=1)] = 0.05
    """Time between two writes of the counters."""
    groups: tuple[Group, ...] = ()


def value_at(profile: Profile, elapsed_s: float) -> float:
    """A profile's value at a time."""
    if isinstance(profile, (int, float)):
        return float(profile)
    if elapsed_s <= profile[0][0]:
        return profile[0][1]
    for (t0, v0), (t1, v1) in pairwise(profile):
        if elapsed_s < t1:
            return v0 + (v1 - v0) * (elapsed_s - t0) / (t1 - t0)
    return profile[-1][1]


def load_points(load: Profile | Levels) -> tuple[tuple[float, float], ...]:
    """A load as points; levels change within a millisecond."""
    if isinstance(load, (int, float)):
        return ((0.0, float(load)),)
    if not isinstance(load, Levels):
        return load
    draw = random.Random(load.seed)  # noqa: S311 - loads, not a secret
    points: list[tuple[float, float]] = []
    for number in range(math.ceil(load.for_s / load.every_s)):
        start_s, level = number * load.every_s, round(draw.uniform(load.low, load.high), 4)
        points += [(start_s, level), (start_s + load.every_s - _SWITCH_S, level)]
    return tuple(points)


def load_scenario(file: Path) -> Scenario:
    """Read a scenario from JSON.

    Raises:
        ConfigInvalid: the file cannot be read, or is not a scenario.
    """
    try:
        scenario = msgspec.json.decode(file.read_bytes(), type=Scenario)
    except OSError as exc:
        raise ConfigInvalid(f"scenario {file}: {exc.strerror}; give a readable JSON file") from exc
    except msgspec.MsgspecError as exc:
        raise ConfigInvalid(f"scenario {file}: {exc}") from exc
    return check(scenario)


def check(scenario: Scenario) -> Scenario:
    """Return the scenario if it can be played.

    Raises:
        ConfigInvalid: names twice, profiles out of order or out of range, unknown zones.
    """
    names = [group.name for group in scenario.groups]
    if clash := sorted(RESERVED_ROWS.intersection(names)):
        raise ConfigInvalid(f"group {clash[0]}: the name is a row of the plant's own; rename it")
    if len(set(names)) < len(names):
        raise ConfigInvalid("two groups have the same name; rename one")
    for name, profile, most in _profiles(scenario):
        points = ((0.0, float(profile)),) if isinstance(profile, (int, float)) else profile
        times = [t for t, _ in points]
        if len(points) > _MOST_POINTS:
            raise ConfigInvalid(
                f"{name}: more than {_MOST_POINTS} points; use fewer or longer levels"
            )
        if not points or times != sorted(set(times)):
            raise ConfigInvalid(f"{name}: needs points of rising time")
        if not all(0 <= value <= most for _, value in points):
            raise ConfigInvalid(f"{name}: values must lie within 0 and {most:g}")
    if scenario.cap_watts is not None and scenario.cap_watts <= scenario.floor_watts:
        raise ConfigInvalid("cap_watts: must be above floor_watts, or nobody could run")
    zones = zone_names(scenario)
    for fault in scenario.faults:
        if fault.zone not in zones:
            raise ConfigInvalid(f"fault: no zone {fault.zone}; there are {', '.join(zones)}")
    return scenario


def _profiles(scenario: Scenario) -> Iterator[tuple[str, Profile, float]]:
    watts = 10_000.0  # of one core: beyond anything that exists
    yield "rest_watts_per_core", scenario.rest_watts_per_core, watts
    yield "rest_dram_watts_per_core", scenario.rest_dram_watts_per_core, watts
    for group in scenario.groups:
        yield f"{group.name}.watts_per_core", group.watts_per_core, watts
        yield f"{group.name}.dram_watts_per_core", group.dram_watts_per_core, watts
        for command in group.commands:
            if isinstance(command, Burn):
                yield f"{group.name}.load", load_points(command.load), 1.0


def zone_names(scenario: Scenario) -> tuple[str, ...]:
    """The zones of the simulated machine, packages first."""
    kinds = ("package", *(k for k in ("dram", "core", "uncore") if getattr(scenario, k)))
    zones = [f"{kind}-{socket}" for kind in kinds for socket in range(scenario.sockets)]
    return (*zones, "psys") if scenario.psys else tuple(zones)
