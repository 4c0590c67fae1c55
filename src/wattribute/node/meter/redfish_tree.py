"""Where in a BMC's tree the power of a chassis is, and what it says.

Pure: resources come through a function. Sources: DMTF schemas Chassis, EnvironmentMetrics,
PowerSubsystem, PowerSupplyMetrics (2020.4 and later) and Power (deprecated since, and all that
older firmwares have). What firmwares make of them differs, so nothing is taken for granted: links
that are missing are guessed, numbers may be texts or null, a resource may answer an error while
its older form works.
"""

import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from wattribute.core.errors import MeterFailed
from wattribute.core.records import Gauge
from wattribute.core.units import microwatts

Json = Any
Get = Callable[[str], Json | None]
"""A resource by its path; None: it is not there. Raises MeterError for other failures."""

_MOST_WATTS: Final = 1e6
_MOST_MEMBERS: Final = 64
_MOST_PAGES: Final = 8
_NUMBER: Final = re.compile(r"\s*(\d{1,9}(?:\.\d{1,9})?)\s*(?:W|[Ww]atts?)?\s*", re.ASCII)
_PARTS: Final = frozenset(
    {"Cartridge", "Card", "Component", "Drive", "Expansion", "IPBasedDrive", "Module", "RackGroup"}
    | {"Pod", "Rack", "Row", "Shelf", "StorageEnclosure", "Zone"}
)
"""Types of chassis (schema Chassis, ChassisType) that are inside a computer, or around several."""


@dataclass(frozen=True, slots=True)
class Route:
    """How the power of one chassis is read, once it is known."""

    chassis: str
    """Its Id."""
    form: str
    """``environment``, ``supplies`` or ``power``: which resource ``paths`` are."""
    paths: tuple[str, ...]


def routes(get: Get, root: Json, chassis_ids: tuple[str, ...]) -> tuple[Route, ...]:
    """A route for each chassis whose power counts.

    Args:
        get: gives resources.
        root: the service root.
        chassis_ids: Ids of those that count; empty: all chassis that measure power and are not
            part of one that does.

    Raises:
        MeterFailed: none measures power, or one that is wanted does not.
        MeterDenied: we may not look.
    """
    collection = link(root, "Chassis") or "/redfish/v1/Chassis"
    bodies: dict[str, Json] = {}
    for path in members(get, collection):
        body = get(path)
        if isinstance(body, dict):
            bodies[path.rstrip("/")] = body
    names = {path: _name(path, body) for path, body in bodies.items()}
    if unknown := [name for name in chassis_ids if name not in names.values()]:
        raise MeterFailed(
            f"meter.redfish_chassis: no chassis {unknown[0]!r}; the BMC has "
            f"{', '.join(sorted(names.values())) or 'none'}"
        )
    route_of: dict[str, Route] = {}
    problems: list[str] = []
    for path, body in bodies.items():
        part = str(body.get("ChassisType")) in _PARTS and len(bodies) > 1
        if names[path] in chassis_ids or (not chassis_ids and not part):
            route = _route(get, path, body, names[path], problems)
            if route is not None:
                route_of[path] = route
            elif chassis_ids:
                problems.append(f"chassis {names[path]!r} measures no power")
    if not chassis_ids:
        route_of = {p: r for p, r in route_of.items() if not _inside(p, bodies, route_of.keys())}
    if not route_of or (chassis_ids and len(route_of) < len(chassis_ids)):
        raise MeterFailed(
            problems[0]
            if problems
            else "no chassis of this BMC measures power "
            f"(asked: {', '.join(sorted(names.values())) or 'there is none'})"
        )
    return tuple(route_of.values())


def power(get: Get, route: Route) -> Gauge:
    """The power that a chassis draws now.

    Raises:
        MeterFailed: the BMC tells none now.
        MeterDenied: we may not ask any more.
    """
    gauge = _READERS[route.form]([get(path) for path in route.paths])
    if gauge is None:
        raise MeterFailed(f"chassis {route.chassis!r}: the BMC tells no power now")
    return gauge


def watts(value: Json) -> float | None:
    """A power in watts, as a number, as a text, or as a sensor's excerpt; None: it is none."""
    if isinstance(value, dict):
        value = value.get("Reading")
    if isinstance(value, str):
        match = _NUMBER.fullmatch(value)
        return float(match[1]) if match else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value <= _MOST_WATTS and math.isfinite(value) else None


def members(get: Get, path: str) -> Iterator[str]:
    """Paths of a collection's members, over its pages.

    Raises:
        MeterError: as ``get``.
    """
    count = 0
    for _ in range(_MOST_PAGES):
        body = get(path)
        if not isinstance(body, dict):
            return
        listed = body.get("Members")
        for member in listed if isinstance(listed, list) else ():
            member_path = link({"": member}, "")
            if member_path and count < _MOST_MEMBERS:
                count += 1
                yield member_path
        following = body.get("Members@odata.nextLink")
        if not isinstance(following, str) or not following:
            return
        path = following


def link(body: Json, name: str) -> str:
    """Where a property of a resource leads; "": nowhere."""
    target = body.get(name) if isinstance(body, dict) else None
    if isinstance(target, dict):
        target = target.get("@odata.id")
    return target if isinstance(target, str) else ""


def _name(path: str, body: Json) -> str:
    """A chassis' Id, fit for a label and a state file."""
    own_id = body.get("Id")
    name = own_id if isinstance(own_id, str) and own_id.strip() else path.rpartition("/")[2]
    return re.sub(r"[^A-Za-z0-9._-]", "_", name.strip())[:64] or "0"


def _inside(path: str, bodies: dict[str, Json], measured: Any) -> bool:  # noqa: ANN401 - a set of keys
    """Whether a chassis is contained in another that measures power too."""
    visited = {path}
    while True:
        links = bodies.get(path, {}).get("Links")
        path = link(links, "ContainedBy").rstrip("/")
        if not path or path in visited:
            return False
        if path in measured:
            return True
        visited.add(path)


def _route(get: Get, path: str, body: Json, name: str, problems: list[str]) -> Route | None:
    """The first way that gives a number, newest schema first."""
    for form, find in _FINDERS:
        try:
            paths = find(get, path, body)
            if paths and _READERS[form]([get(part) for part in paths]) is not None:
                return Route(name, form, paths)
        except MeterFailed as error:  # another form may work: some firmwares answer 500
            problems.append(str(error))
    return None


def _environment(_get: Get, path: str, body: Json) -> tuple[str, ...]:
    return (link(body, "EnvironmentMetrics") or f"{path}/EnvironmentMetrics",)


def _supplies(get: Get, path: str, body: Json) -> tuple[str, ...]:
    subsystem = get(link(body, "PowerSubsystem") or f"{path}/PowerSubsystem")
    collection = link(subsystem, "PowerSupplies")
    paths = []
    for member in members(get, collection) if collection else ():
        supply = get(member)
        if not isinstance(supply, dict) or _absent(supply):
            continue
        metrics = link(supply, "Metrics")
        if not metrics:
            return ()  # the sum would lack one
        paths.append(metrics)
    return tuple(paths)


def _power(_get: Get, path: str, body: Json) -> tuple[str, ...]:
    return (link(body, "Power") or f"{path}/Power",)


def _read_environment(bodies: list[Json | None]) -> Gauge | None:
    body = bodies[0]
    return _gauge(watts(body.get("PowerWatts"))) if isinstance(body, dict) else None


def _read_supplies(bodies: list[Json | None]) -> Gauge | None:
    """What all supplies take in; of those that do not tell, what they give out."""
    return _sum(bodies, "InputPowerWatts") or _sum(bodies, "OutputPowerWatts")


def _read_power(bodies: list[Json | None]) -> Gauge | None:
    """PowerControl's first number.

    Never a sum: where there are several members the first is the whole and the
    others are its parts (processors and memory on Lenovo's).
    """
    body = bodies[0]
    if not isinstance(body, dict):
        return None
    controls = body.get("PowerControl")
    controls = controls if isinstance(controls, list) else [controls]
    controls = [control for control in controls if isinstance(control, dict)]
    for control in controls:
        if (now := _gauge(watts(control.get("PowerConsumedWatts")))) is not None:
            return now
    for control in controls[:1]:
        metrics = control.get("PowerMetrics")
        if isinstance(metrics, dict):
            mean = _gauge(watts(metrics.get("AverageConsumedWatts")), averaged=True)
            if mean is not None:
                return mean
    supplies = body.get("PowerSupplies")
    supplies = supplies if isinstance(supplies, list) else []
    present = [supply for supply in supplies if isinstance(supply, dict) and not _absent(supply)]
    for name in ("PowerInputWatts", "PowerOutputWatts", "LastPowerOutputWatts"):
        if (total := _sum(present, name)) is not None:
            return total
    return None


def _sum(bodies: Sequence[Json | None], name: str) -> Gauge | None:
    """All of them added up; None if one does not tell, because a part is not the whole."""
    values = [watts(body.get(name)) if isinstance(body, dict) else None for body in bodies]
    numbers = [value for value in values if value is not None]
    return _gauge(sum(numbers)) if numbers and len(numbers) == len(values) else None


def _gauge(power_w: float | None, *, averaged: bool = False) -> Gauge | None:
    """0 W is said by sensors that are not ready: a chassis in which we run draws more."""
    return Gauge(microwatts(power_w), averaged) if power_w else None


def _absent(supply: Json) -> bool:
    status = supply.get("Status")
    return isinstance(status, dict) and status.get("State") == "Absent"


_FINDERS: Final = (("environment", _environment), ("supplies", _supplies), ("power", _power))
_READERS: Final = {
    "environment": _read_environment,
    "supplies": _read_supplies,
    "power": _read_power,
}
