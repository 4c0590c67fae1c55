"""Scores a model on measured rows: by subset, load, what was known, and machine."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, TypeVar

from msgspec import Struct

from wattribute.models.training.hosts import host_of, watts_of
from wattribute.models.training.metrics import Score, ScoredRow, score_of
from wattribute.models.training.rows import TrainingRow, TrainingRows
from wattribute.models.training.systems import is_tuned
from wattribute.node.estimator.artefact import Artefact
from wattribute.node.estimator.calibration import Measured
from wattribute.node.estimator.cpu_names import base_key
from wattribute.node.estimator.host import Host
from wattribute.node.estimator.model import HostModel, Profile, guest_package_watts

_Key = TypeVar("_Key", str, int)
Calibrate = Literal["none", "idle"]

_IDLE_MOST: Final = 0.05
"""The row of least load gives the idle reading, unless it is busier than this."""
_LISTED_SYSTEMS: Final = 40
"""Subsets of no more systems than this list each."""
_CALIBRATED: Final = ("wall", "pkg", "dram")


class FigureGroup(Struct, frozen=True):
    """Rows that belong together, and their figures."""

    subset: str
    scope: str
    profile: str
    score: Score
    by_level: dict[str, Score]
    """Load in percent -> figures."""
    by_known: dict[str, Score]
    """``seen``: the CPU model was in the training data of this scope; ``cpu``,
    ``microarchitecture``, ``class``."""
    by_system: dict[str, Score]
    """Empty for large subsets."""


class Evaluation(Struct, frozen=True):
    """The whole result."""

    model: str
    calibrated: str
    rows_read: int
    rows_scored: int
    left_out: dict[str, int]
    """Reason -> rows."""
    broken: list[str]
    """Each broken row, named."""
    groups: list[FigureGroup]


@dataclass(slots=True)
class _Taken:
    points: list[ScoredRow] = field(default_factory=list)
    known: list[str] = field(default_factory=list)


def evaluate(
    artefact: Artefact, rows: TrainingRows, *, calibrate: Calibrate = "none"
) -> Evaluation:
    """Predict every row from its machine's description alone, and compare.

    Rows of machines set up for a benchmark are predicted as ``tuned``, others as ``typical``.

    Args:
        artefact: the model.
        rows: as read.
        calibrate: ``idle``: of every system the row of least load is given to the model, and not
        scored.
    """
    left_out = dict(sorted(rows.dropped.items()))
    systems: dict[tuple[str, str], list[TrainingRow]] = defaultdict(list)
    for row in rows.rows:
        systems[row.scope, row.system_id].append(row)
    groups: dict[tuple[str, str, Profile], _Taken] = defaultdict(_Taken)
    with_reading = ungiven = 0
    for (scope, _), members in systems.items():
        measured, rest = _idle(scope, members) if calibrate == "idle" else ((), members)
        with_reading += len(measured)
        ungiven += len(members) if calibrate == "idle" and not measured else 0
        host = host_of(artefact, members[0])
        profile: Profile = "tuned" if is_tuned(members[0]) else "typical"
        model = HostModel(artefact, host, profile=profile, measured=measured)
        for row in rest:
            scored = groups[row.subset or "-", scope, profile]
            scored.points.append(_point(model, host, row))
            scored.known.append(_known(artefact, model, host, scope))
    if with_reading:
        left_out["given to the model as the idle reading"] = with_reading
    figure_groups = [
        _group(subset, scope, profile, scored)
        for (subset, scope, profile), scored in sorted(groups.items())
    ]
    read = len(rows.rows) + sum(rows.dropped.values())
    return Evaluation(
        model=f"{artefact.model} {artefact.version}",
        calibrated=_words(calibrate, with_reading, ungiven),
        rows_read=read,
        rows_scored=sum(group.score.rows for group in figure_groups),
        left_out=left_out,
        broken=rows.named,
        groups=figure_groups,
    )


def _idle(
    scope: str, members: Sequence[TrainingRow]
) -> tuple[tuple[Measured, ...], list[TrainingRow]]:
    """The idle reading, and the rows that are left to score."""
    least = min(members, key=lambda row: row.utilisation)
    if scope not in _CALIBRATED or least.utilisation > _IDLE_MOST:
        return (), list(members)
    reading = Measured(least.utilisation, watts_of(least), scope)
    return (reading,), [row for row in members if row is not least]


def _point(model: HostModel, host: Host, row: TrainingRow) -> ScoredRow:
    if row.scope.startswith("vm_"):
        watts, low, high = _guest(model, host, row)
    else:
        curve = {"wall": model.wall, "pkg": model.package, "dram": model.memory}[row.scope]
        watts, low, high = curve.at(row.utilisation)
    level = round(row.utilisation * 10) * 10
    return ScoredRow(row.system_id, level, watts_of(row), watts, low, high)


def _known(artefact: Artefact, model: HostModel, host: Host, scope: str) -> str:
    """What was known of the CPU; ``seen`` only if it was measured in this scope."""
    if scope == "wall" or model.known not in {"seen", "cpu"}:
        return model.known
    measured = scope != "dram" and base_key(host.cpu_key) in artefact.coefficients.package.cpu
    return "seen" if measured else "cpu"


def _guest(model: HostModel, host: Host, row: TrainingRow) -> tuple[float, float, float]:
    """The guest's share of its host's packages, with or without its part of the floor."""
    share = min(1.0, (row.number("guest_vcpus") or host.threads) / host.threads)
    (watts, low, high), dynamic = guest_package_watts(model, share, row.utilisation)
    if row.scope == "vm_pkg_abs":
        return watts, low, high
    return dynamic, dynamic * low / watts, dynamic * high / watts


def _group(subset: str, scope: str, profile: Profile, scored: _Taken) -> FigureGroup:
    points = scored.points
    systems = _by(points, lambda i: points[i].system_id)
    return FigureGroup(
        subset=subset,
        scope=scope,
        profile=profile,
        score=score_of(points),
        by_level={str(level): score_of(p) for level, p in _by(points, lambda i: points[i].level)},
        by_known={known: score_of(p) for known, p in _by(points, lambda i: scored.known[i])},
        by_system={s: score_of(p) for s, p in systems} if len(systems) <= _LISTED_SYSTEMS else {},
    )


def _by(
    points: Sequence[ScoredRow], key: Callable[[int], _Key]
) -> list[tuple[_Key, list[ScoredRow]]]:
    figure_groups: dict[_Key, list[ScoredRow]] = defaultdict(list)
    for i, point in enumerate(points):
        figure_groups[key(i)].append(point)
    return sorted(figure_groups.items())


def _words(calibrate: Calibrate, with_reading: int, without: int) -> str:
    if calibrate == "none":
        return "none"
    words = f"idle: the row of least load of {with_reading} systems was given"
    return words + (f"; {without} rows are of systems without one" if without else "")
