"""Read and check the model artefact, a JSON file; no other module does.

`decode` takes the bytes from any source. It returns an `Artefact` in which every table has the
shape that the models expect and every number is finite, or raises an error with the reason.
"""

from collections.abc import Iterator
from hashlib import sha256
from math import isfinite
from typing import Annotated, Final

import msgspec
import numpy as np
from msgspec import Meta, Struct

from wattribute.core.errors import ModelInvalid
from wattribute.node.estimator.wall import LINEAR, SLOPES, SMOOTH, Floats, WallModel

SCHEMA: Final = 1
MAX_BYTES: Final = 1 << 20
"""The shipped artefact has a tenth of this; a larger answer of a server is refused."""

Numbers = list[float]
Table = list[Numbers]
Text = Annotated[str, Meta(max_length=400)]
Name = Annotated[str, Meta(max_length=64)]


class _Part(Struct, frozen=True, kw_only=True):
    """A part of the file. Unknown keys are ignored: later versions of a schema only add keys."""


class Feature(_Part, frozen=True):
    """A feature of the wall model."""

    name: Name
    unit: Text


class TrainingSource(_Part, frozen=True):
    """A source of training data, and its terms of use."""

    name: Text
    terms: Text


class ScaledWeights(_Part, frozen=True):
    """Weights of features that are scaled by ``(x - centre) / scale``."""

    centre: Numbers
    scale: Numbers
    weights: Table
    """(features, levels) weights."""


class Smooth(_Part, frozen=True):
    """Gaussian bumps on scaled features: weight x exp(-distance^2 / 2 length^2)."""

    centre: Numbers
    scale: Numbers
    length: float
    points: Table
    weights: Table


class Makers(_Part, frozen=True):
    """What a server's maker adds to ln W, as bumps over the years."""

    years: Numbers
    """Decades from 2015."""
    length: float
    weights: dict[Name, Table]


class Wall(_Part, frozen=True):
    """The model of ln W at the wall of a tuned server, by load level."""

    levels: Numbers
    mean: Numbers
    linear: ScaledWeights
    smooth: Smooth
    microarchitecture: dict[Name, Table]
    family: dict[Name, Numbers]
    make: dict[Name, Numbers]
    maker: Makers
    cpu: dict[Name, Numbers]
    typical: Numbers
    """What an untuned server adds to ln W at each level."""
    typical_spread: Annotated[float, Meta(ge=0)]
    """Extra width of an untuned server's band on either side (ln W, added in squares), because such
    servers differ from each other. A reading removes it."""
    typical_scatter: Annotated[float, Meta(ge=0)]
    """Extra width that no reading removes, because different work has the same load."""
    few: list[Name]
    """Designers of CPUs for which too few systems were measured, so that the band of ``class`` is
    used."""


class Package(_Part, frozen=True):
    """The model of CPU packages: TDP x a concave curve, capped by what the cores can draw."""

    levels: Numbers
    of_tdp: Numbers
    watts_per_core_ghz3: float
    """The cap: this x cores x (boost GHz)^3 watts."""
    cpu: dict[Name, Numbers] = {}
    """What measured CPU models add to ln W at each level."""


class DramModel(_Part, frozen=True):
    """The model of DRAM: watts of a module of 16 GB; power grows with the root of the size."""

    levels: Numbers
    module_watts: Numbers
    before_2017: float
    """Factor for CPUs from before 2017."""


class Coefficients(_Part, frozen=True):
    """All fitted coefficients."""

    wall: Wall
    package: Package
    memory: DramModel


class Band(_Part, frozen=True):
    """Quantiles of ln(measured / predicted) by level.

    Of the held-out points, 5 % lie below ``low``, and 95 % below ``high``.
    """

    levels: Numbers
    low: Numbers
    high: Numbers


class Microarchitecture(_Part, frozen=True):
    """The typical CPU that is assumed if only the microarchitecture is known."""

    make: str
    year: float
    cores: Annotated[float, Meta(gt=0)]
    """Cores in one package of its median server CPU."""
    ghz: Annotated[float, Meta(gt=0)]
    tdp_watts: Annotated[float, Meta(gt=0)]
    """TDP of a package with ``cores``; other sizes: x (ratio of cores)^tdp_exponent."""
    cloud_cores: Annotated[float, Meta(gt=0)]
    cloud_tdp_watts: Annotated[float, Meta(gt=0)]
    """Cores and TDP of a package in clouds, which buy larger ones."""
    threads_per_core: Annotated[float, Meta(ge=1, le=8)]


class Fleet(_Part, frozen=True):
    """Corrections from an operator's own metered machines: ln(measured / predicted)."""

    levels: Numbers
    cpu: dict[Name, dict[str, Numbers]]
    """By CPU key and scope (``wall`` of an untuned server, ``pkg``, ``dram``): values by level."""
    microarchitecture: dict[Name, dict[str, Numbers]]
    """By microarchitecture and scope: values for other CPUs, by level."""


class Artefact(_Part, frozen=True, omit_defaults=True):
    """The whole model artefact."""

    schema: int
    model: Name
    version: Name
    licence: Text
    sources: list[TrainingSource]
    data_sha256: dict[str, str]
    """SHA-256 by training file."""
    features: list[Feature]
    targets: list[Name]
    coefficients: Coefficients
    quantiles: dict[str, dict[str, Band]]
    """Band by what is known of the CPU (`KNOWN`) and by scope (``wall``, ``pkg``, ``pkg_small`` for
    packages under 12 cores, ``dram``)."""
    covariance: Table
    """Covariance of ln(measured / predicted) between the wall's levels: how a reading at one level
    corrects the others."""
    tdp_exponent: float
    microarchitectures: dict[Name, Microarchitecture]
    """Typical CPUs by microarchitecture; ``""`` is for a CPU of which nothing is known."""
    cpus: dict[Name, str]
    """By microarchitecture: its CPU models as ``key tdp cores ghz boost``, separated by ``;``. The
    figures are for one package, TDP in watts; 0: not known."""
    instances: dict[str, str]
    """By cloud instance family: ``cpu_key_or_microarchitecture host_threads host_gb``."""
    covariance_seen: Table = []
    """Covariance for CPU models that were in the training data; []: use ``covariance``."""
    fleet: Fleet | None = None
    """Corrections of an operator; None in the shipped artefact."""


def decode(data: bytes, pinned_sha256: str = "", *, name: str = "the model") -> Artefact:
    """Decode and check an artefact.

    Args:
        data: the file's bytes.
        pinned_sha256: the expected SHA-256 in hexadecimal; "" accepts any file.
        name: the file's name in messages.

    Raises:
        ModelInvalid: the file is not the pinned one, or not an artefact for this version.
    """
    digest = sha256(data).hexdigest()
    if pinned_sha256 and digest != pinned_sha256.lower():
        raise ModelInvalid(
            f"{name}: SHA-256 is {digest}, pinned is {pinned_sha256}; "
            "use the pinned file, or correct estimator.sha256"
        )
    if len(data) > MAX_BYTES:
        raise ModelInvalid(
            f"{name}: too large, {len(data)} bytes; an artefact has at most {MAX_BYTES}"
        )
    try:
        schema = msgspec.json.decode(data, type=_Schema).schema
        if schema != SCHEMA:
            raise ModelInvalid(
                f"{name}: schema {schema}; this version reads {SCHEMA}; train the model"
                " again, or update wattribute"
            )
        artefact = msgspec.json.decode(data, type=Artefact)
    except (msgspec.MsgspecError, UnicodeDecodeError) as exc:
        raise ModelInvalid(f"{name}: not a model artefact: {exc}") from exc
    try:
        _check(artefact)
    except ValueError as exc:
        raise ModelInvalid(f"{name}: {exc}") from exc
    return artefact


def wall_model(artefact: Artefact) -> WallModel:
    """Return the wall model with its tables as arrays."""
    wall = artefact.coefficients.wall
    return WallModel(
        levels=_array(wall.levels),
        mean=_array(wall.mean),
        linear_centre=_array(wall.linear.centre),
        linear_scale=_array(wall.linear.scale),
        linear=_array(wall.linear.weights),
        smooth_centre=_array(wall.smooth.centre),
        smooth_scale=_array(wall.smooth.scale),
        points=_array(wall.smooth.points),
        length=wall.smooth.length,
        smooth=_array(wall.smooth.weights),
        microarchitecture={k: _array(v) for k, v in wall.microarchitecture.items()},
        family={k: _array(v) for k, v in wall.family.items()},
        make={k: _array(v) for k, v in wall.make.items()},
        years=_array(wall.maker.years),
        years_length=wall.maker.length,
        maker={k: _array(v) for k, v in wall.maker.weights.items()},
        cpu={k: _array(v) for k, v in wall.cpu.items()},
    )


class _Schema(Struct):
    schema: int


def _array(values: Numbers | Table) -> Floats:
    return np.array(values, np.float64)


BANDS: Final = ("wall", "pkg", "pkg_small", "dram")
KNOWN: Final = ("seen", "cpu", "microarchitecture", "class")
"""What may be known of a CPU, best first; ``seen``: the CPU model was in the training data."""


def _check(artefact: Artefact) -> None:
    """Check shapes, that numbers are finite, and that divisors are positive.

    Raises:
        ValueError: a value is invalid.
    """
    c = artefact.coefficients
    _rising("wall.levels", c.wall.levels)
    _rising("package.levels", c.package.levels)
    _rising("memory.levels", c.memory.levels)
    for name, values, shape in (*_wall_shapes(c.wall), *_other_shapes(artefact)):
        _shaped(name, values, shape)
    wall = c.wall
    lengths = (wall.smooth.length, wall.maker.length, *wall.linear.scale, *wall.smooth.scale)
    if not all(isfinite(value) and value > 0 for value in lengths):
        raise ValueError("coefficients.wall: every scale and length must be more than 0")
    for name, packed in artefact.cpus.items():
        if not all(_packed(row, 5) for row in packed.split(";")):
            raise ValueError(f"cpus.{name}: every row must be a key and four numbers")
    for name, packed in artefact.instances.items():
        if not _packed(packed, 3):
            raise ValueError(f"instances.{name}: must be a CPU and two numbers")
    if "" not in artefact.microarchitectures:
        raise ValueError('microarchitectures: the entry "" for an unknown CPU is missing')
    if not all(set(BANDS) <= set(artefact.quantiles.get(basis, {})) for basis in KNOWN):
        raise ValueError(f"quantiles: needs {', '.join(BANDS)} for each of {', '.join(KNOWN)}")


_Shape = tuple[str, Numbers | Table, tuple[int, ...]]


def _wall_shapes(wall: Wall) -> Iterator[_Shape]:
    """Yield name, values and shape of each table of the wall model."""
    levels, points = len(wall.levels), len(wall.smooth.points)
    yield "wall.mean", wall.mean, (levels,)
    yield "wall.typical", wall.typical, (levels,)
    yield "wall.linear.centre", wall.linear.centre, (len(LINEAR),)
    yield "wall.linear.scale", wall.linear.scale, (len(LINEAR),)
    yield "wall.linear.weights", wall.linear.weights, (len(LINEAR), levels)
    yield "wall.smooth.centre", wall.smooth.centre, (len(SMOOTH),)
    yield "wall.smooth.scale", wall.smooth.scale, (len(SMOOTH),)
    yield "wall.smooth.points", wall.smooth.points, (points, len(SMOOTH))
    yield "wall.smooth.weights", wall.smooth.weights, (points, levels)
    for field, table in (("family", wall.family), ("make", wall.make), ("cpu", wall.cpu)):
        for key, row in table.items():
            yield f"wall.{field}.{key}", row, (levels,)
    for key, rows in wall.microarchitecture.items():
        yield f"wall.microarchitecture.{key}", rows, (1 + len(SLOPES), levels)
    for key, rows in wall.maker.weights.items():
        yield f"wall.maker.{key}", rows, (len(wall.maker.years), levels)


def _other_shapes(artefact: Artefact) -> Iterator[_Shape]:
    c, levels = artefact.coefficients, len(artefact.coefficients.wall.levels)
    yield "package.of_tdp", c.package.of_tdp, (len(c.package.levels),)
    for key, row in c.package.cpu.items():
        yield f"package.cpu.{key}", row, (len(c.package.levels),)
    yield "memory.module_watts", c.memory.module_watts, (len(c.memory.levels),)
    yield "covariance", artefact.covariance, (levels, levels)
    if artefact.covariance_seen:
        yield "covariance_seen", artefact.covariance_seen, (levels, levels)
    for basis, scopes in artefact.quantiles.items():
        for scope, band in scopes.items():
            name = f"quantiles.{basis}.{scope}"
            _rising(name, band.levels)
            yield name, band.low, (len(band.levels),)
            yield name, band.high, (len(band.levels),)
    if (fleet := artefact.fleet) is not None:
        _rising("fleet.levels", fleet.levels)
        for group, table in (("cpu", fleet.cpu), ("microarchitecture", fleet.microarchitecture)):
            for key, offsets in table.items():
                for scope, row in offsets.items():
                    yield f"fleet.{group}.{key}.{scope}", row, (len(fleet.levels),)


def _packed(row: str, count: int) -> bool:
    """Tell whether a row is a word and numbers, together ``count`` fields."""
    _, *figures = row.split(" ")
    try:
        return len(figures) == count - 1 and all(0 <= float(figure) < 1e6 for figure in figures)
    except ValueError:
        return False


def _shaped(name: str, values: Numbers | Table, shape: tuple[int, ...]) -> None:
    try:
        array = np.array(values, np.float64).reshape(shape if values else (0,))
    except ValueError:
        raise ValueError(f"{name}: must have the shape {shape}") from None
    if array.shape != shape or len(values) != shape[0] or not np.isfinite(array).all():
        raise ValueError(f"{name}: must be finite numbers of shape {shape}")


def _rising(name: str, levels: Numbers) -> None:
    if len(levels) < 2 or levels[0] != 0 or levels[-1] != 1 or sorted(set(levels)) != levels:
        raise ValueError(f"{name}: must rise from 0 to 1")
