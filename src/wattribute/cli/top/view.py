"""What ``top`` shows: rows by process, container, pod or GPU; sorted, filtered, cut. No I/O."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from wattribute.cli.terminal import TerminalColumn

By = Literal["process", "container", "pod", "gpu"]
Sort = Literal["watts", "joules", "cpu", "name"]

VIEWS: Final[tuple[By, ...]] = ("process", "container", "pod", "gpu")
SORTS: Final[tuple[Sort, ...]] = ("watts", "joules", "cpu", "name")


@dataclass(frozen=True, slots=True)
class ConsumerRow:
    """A process, container or pod in the table, with its power and energy."""

    watts: float
    """Mean power of the last tick."""
    joules: float
    """Since the totals began."""
    cpu_percent: float
    """100 is one CPU."""
    command: str = ""
    pid: int = 0
    container: str = ""
    container_id: str = ""
    pod: str = ""
    pod_uid: str = ""
    namespace: str = ""
    alive: bool = True
    containers: int = 1
    """How many containers a pod's row adds up."""
    gpu_watts: float = 0.0
    """The part of watts that is on GPUs, without the floor."""
    gpu_joules: float = 0.0
    watts_per_core: float | None = None
    """Dynamic CPU power for each core in use; None where every core counts the same."""
    watts_per_core_low: float | None = None
    watts_per_core_high: float | None = None
    """Ends of the 90 % band."""
    learning: bool = False
    """Little was learned of it so far."""


@dataclass(frozen=True, slots=True)
class ComponentPower:
    """One component of the node, from one source."""

    component: str
    origin: str
    watts: float
    low_watts: float | None
    high_watts: float | None
    """The band around an estimate; None for what was measured."""
    joules: float


@dataclass(frozen=True, slots=True)
class Gpu(ConsumerRow):
    """One GPU; cpu_percent is the part of the last tick in which it was busy."""

    index: int = 0
    memory: str = ""
    name: str = ""
    uuid: str = ""
    how: str = ""
    """How its energy is known and shared, or what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One snapshot, as ``top`` shows it."""

    node: str
    where: str
    """The agent's address, or that this program measures by itself."""
    activity: str
    policy: str
    time_s: float
    """Unix time of the tick."""
    age_s: float
    interval_s: float
    parts: tuple[ComponentPower, ...]
    containers: tuple[ConsumerRow, ...]
    processes: tuple[ConsumerRow, ...] | None
    """None: the agent does not show them to us."""
    gpus: tuple[Gpu, ...] = ()

    @property
    def watts(self) -> float:
        """Power of the node: components never overlap."""
        return sum(part.watts for part in self.parts)

    @property
    def has_weights(self) -> bool:
        """Whether seconds of containers cost differently."""
        return any(row.watts_per_core is not None for row in self.containers)

    @property
    def joules(self) -> float:
        """Energy of the node since the totals began."""
        return sum(part.joules for part in self.parts)


@dataclass(frozen=True, slots=True)
class Choice:
    """What the user wants to see."""

    by: By = "process"
    sort: Sort = "watts"
    filter_text: str = ""
    limit: int = 0
    """0: all rows."""


_NUMBERS: Final = (
    TerminalColumn("WATTS", right=True),
    TerminalColumn("JOULES", right=True),
    TerminalColumn("CPU %", right=True),
)
_OLD_TICKS: Final = 3
"""A snapshot that is older than so many intervals is not news, and is said to be old."""
_GPU_NUMBERS: Final = (TerminalColumn("GPU W", right=True), TerminalColumn("GPU J", right=True))
_PER_CORE: Final = (TerminalColumn("W/CORE", right=True),)
_COLUMNS: Final[dict[By, tuple[TerminalColumn, ...]]] = {
    "process": (
        TerminalColumn("PID", right=True),
        *_NUMBERS,
        *map(TerminalColumn, ("COMMAND", "CONTAINER", "POD", "NAMESPACE")),
    ),
    "container": (*_NUMBERS, *map(TerminalColumn, ("CONTAINER", "POD", "NAMESPACE", "ID"))),
    "pod": (*_NUMBERS, *map(TerminalColumn, ("POD", "NAMESPACE", "CONTAINERS"))),
    "gpu": (
        TerminalColumn("GPU", right=True),
        *_NUMBERS[:2],
        TerminalColumn("BUSY %", right=True),
        *map(TerminalColumn, ("MEMORY", "NAME", "UUID", "HOW")),
    ),
}


def columns(by: By, *, gpus: bool = False, weights: bool = False) -> tuple[TerminalColumn, ...]:
    """The columns of a view.

    Args:
        by: the view.
        gpus: the machine has some.
        weights: the seconds of its containers cost differently.
    """
    found = _COLUMNS[by]
    if by == "gpu":
        return found
    added = (*(_PER_CORE if weights and by == "container" else ()), *(_GPU_NUMBERS if gpus else ()))
    at = found.index(_NUMBERS[-1]) + 1
    return (*found[:at], *added, *found[at:])


def cells(
    row: ConsumerRow, by: By, *, gpus: bool = False, weights: bool = False
) -> tuple[str, ...]:
    """One row's cells, in the order of the columns."""
    numbers = [f"{row.watts:.2f}", f"{row.joules:.1f}", f"{row.cpu_percent:.1f}"]
    if isinstance(row, Gpu):
        return (str(row.index), *numbers, row.memory, row.name, row.uuid, row.how)
    if weights and by == "container":
        numbers.append(_per_core(row))
    if gpus:
        numbers += [f"{row.gpu_watts:.2f}", f"{row.gpu_joules:.1f}"]
    ended = "" if row.alive else " (ended)"
    if by == "process":
        pid = str(row.pid) if row.pid else ""
        return (pid, *numbers, row.command + ended, row.container, row.pod, row.namespace)
    if by == "container":
        return (*numbers, row.container + ended, row.pod, row.namespace, row.container_id[:12])
    return (*numbers, row.pod + ended, row.namespace, str(row.containers))


def _per_core(row: ConsumerRow) -> str:
    """Watts per core with their band; ``~`` where little was learned so far."""
    low, high = row.watts_per_core_low, row.watts_per_core_high
    if row.watts_per_core is None or low is None or high is None:
        return ""
    text = f"{'~' if row.learning else ''}{row.watts_per_core:.1f}"
    return f"{text} ({low:.1f}-{high:.1f})" if high > low else text


def chosen(picture: Picture, choice: Choice) -> list[ConsumerRow]:
    """The rows to show, in order."""
    rows: Iterable[ConsumerRow] = picture.containers
    if choice.by == "process":
        rows = picture.processes or ()
    if choice.by == "pod":
        rows = _pods(picture.containers)
    if choice.by == "gpu":
        rows = picture.gpus
    if needle := choice.filter_text.casefold():
        rows = (row for row in rows if needle in _words(row))
    ordered = sorted(rows, key=_name) if choice.sort == "name" else _by_number(rows, choice.sort)
    return ordered[: choice.limit] if choice.limit else ordered


def heading(picture: Picture) -> str:
    """Power and energy of the node, and how they are known, on one line."""
    return (
        f"{picture.node}: {picture.watts:.1f} W, {picture.joules:.0f} J"
        f"{_mark(picture.parts)} | {' | '.join(map(_part, picture.parts)) or 'no meter'}"
    )


def footing(picture: Picture) -> str:
    """Where the numbers come from, on one line."""
    facts = [
        picture.where,
        f"activity by {picture.activity}",
        f"tick every {picture.interval_s:g} s",
        f"idle policy {picture.policy}",
    ]
    if picture.age_s > _OLD_TICKS * picture.interval_s:
        facts.append(f"last tick {picture.age_s:.0f} s ago")
    if picture.processes is None:
        facts.append("processes are shown only on the machine itself, or with --user")
    return "; ".join(facts)


def _part(part: ComponentPower) -> str:
    text = f"{part.component} {part.watts:.1f} W {part.origin}"
    if part.low_watts is None or part.high_watts is None:
        return text
    return f"{text} ({part.low_watts:.1f} to {part.high_watts:.1f})"


def _mark(parts: Sequence[ComponentPower]) -> str:
    """What the sum must say of itself, when a part of it is an estimate."""
    estimated = [part.origin == "estimated" for part in parts if part.watts]
    if not any(estimated):
        return ""
    return " estimated" if all(estimated) else " partly estimated"


def _words(row: ConsumerRow) -> str:
    if isinstance(row, Gpu):
        return "\0".join((row.name, row.uuid, row.how, str(row.index))).casefold()
    words = (row.command, row.container, row.container_id, row.pod, row.namespace, str(row.pid))
    return "\0".join(words).casefold()


def _name(row: ConsumerRow) -> tuple[str, ...]:
    if isinstance(row, Gpu):
        return (f"{row.index:5d}",)
    return (row.namespace, row.pod, row.container, row.command, f"{row.pid:10d}")


def _by_number(rows: Iterable[ConsumerRow], sort: Sort) -> list[ConsumerRow]:
    field = {"watts": "watts", "joules": "joules", "cpu": "cpu_percent"}[sort]
    # Equal numbers keep an order of their own, so that idle rows do not dance.
    return sorted(rows, key=lambda row: (-getattr(row, field), -row.joules, _name(row)))


def _pods(containers: Iterable[ConsumerRow]) -> list[ConsumerRow]:
    """Rows of containers added up by pod; what is in no pod stays by container."""
    together: dict[tuple[str, str], list[ConsumerRow]] = defaultdict(list)
    for row in containers:
        by_itself = row.container_id or row.container
        pod = (row.pod_uid, row.pod) if row.pod_uid or row.pod else ("", by_itself)
        together[pod].append(row)
    return [
        replace(
            rows[0],
            watts=sum(row.watts for row in rows),
            joules=sum(row.joules for row in rows),
            cpu_percent=sum(row.cpu_percent for row in rows),
            gpu_watts=sum(row.gpu_watts for row in rows),
            gpu_joules=sum(row.gpu_joules for row in rows),
            pod=rows[0].pod or rows[0].pod_uid or rows[0].container,
            alive=any(row.alive for row in rows),
            containers=len(rows),
        )
        for rows in together.values()
    ]
