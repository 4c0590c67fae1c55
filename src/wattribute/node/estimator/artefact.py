"""The model artefact: one JSON file, read and checked here and nowhere else.

`decode` takes the bytes, from wherever they came, and gives an `Artefact` in which every table has
the shape that the models expect and every number is finite, or says in one line why not.
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
"""The shipped one is a tenth of this; a server that sends more is not believed."""

Numbers = list[float]
Table = list[Numbers]
Text = Annotated[str, Meta(max_length=400)]
Name = Annotated[str, Meta(max_length=64)]


class _Part(Struct, frozen=True, kw_only=True):
    """A part of the file. Unknown keys are left out: later versions of a schema only add."""


class Feature(_Part, frozen=True):
    """One number that the wall model takes."""

    name: Name
    unit: Text


class Source(_Part, frozen=True):
    """Where the training data came from, and on which terms."""

    name: Text
    terms: Text


class Scaled(_Part, frozen=True):
    """Weights of features, after ``(x - centre) / scale``."""

    centre: Numbers
    scale: Numbers
    weights: Table
    """(features, levels)"""


class Smooth(_Part, frozen=True):
    """Gaussian bumps: weight x exp(-distance^2 / 2 length^2), on scaled features."""

    centre: Numbers
    scale: Numbers
    length: float
    points: Table
    weights: Table


class Makers(_Part, frozen=True):
    """What a server's maker adds; bumps over the years."""

    years: Numbers
    """Decades from 2015."""
    length: float
    weights: dict[Name, Table]


class Wall(_Part, frozen=True):
    """ln W at the wall of a tuned server, by load level."""

    levels: Numbers
    mean: Numbers
    linear: Scaled
    smooth: Smooth
    microarchitecture: dict[Name, Table]
    family: dict[Name, Numbers]
    make: dict[Name, Numbers]
    maker: Makers
    cpu: dict[Name, Numbers]
    typical: Numbers
    """What an ordinary server adds to ln W at each level."""
    typical_spread: Annotated[float, Meta(ge=0)]
    """How much wider its band is on either side (ln W, added in squares): ordinary servers differ
    from each other; a reading takes this away."""
    typical_scatter: Annotated[float, Meta(ge=0)]
    """The same, which no reading takes away: one load, other work."""
    few: list[Name]
    """Designers of CPUs of which too few systems were measured: the band of ``class`` is used."""


class Package(_Part, frozen=True):
    """CPU packages: TDP x a concave curve, capped by what cores can draw."""

    levels: Numbers
    of_tdp: Numbers
    watts_per_core_ghz3: float
    """At most this x cores x (boost GHz)^3."""
    cpu: dict[Name, Numbers] = {}
    """What CPU models that were measured add to ln W at each level."""


class Memory(_Part, frozen=True):
    """DRAM: watts of one module of 16 GB; larger ones draw the square root more."""

    levels: Numbers
    module_watts: Numbers
    before_2017: float
    """Factor for older generations."""


class Coefficients(_Part, frozen=True):
    """All that was fitted."""

    wall: Wall
    package: Package
    memory: Memory


class Band(_Part, frozen=True):
    """ln(measured / predicted): 5 and 95 of 100 held-out points lie below, by level."""

    levels: Numbers
    low: Numbers
    high: Numbers


class Microarchitecture(_Part, frozen=True):
    """What stands in for a CPU of which only this is known."""

    make: str
    year: float
    cores: Annotated[float, Meta(gt=0)]
    """Of one package of its median server part."""
    ghz: Annotated[float, Meta(gt=0)]
    tdp_watts: Annotated[float, Meta(gt=0)]
    """Of a package with ``cores``; one with others: x (cores ratio)^tdp_exponent."""
    cloud_cores: Annotated[float, Meta(gt=0)]
    cloud_tdp_watts: Annotated[float, Meta(gt=0)]
    """The same of the part that clouds buy, which is larger."""
    threads_per_core: Annotated[float, Meta(ge=1, le=8)]


class Fleet(_Part, frozen=True):
    """What an operator's own metered machines draw beyond the models: ln(measured / predicted)."""

    levels: Numbers
    cpu: dict[Name, dict[str, Numbers]]
    """CPU key -> scope (``wall`` of an ordinary server, ``pkg``, ``dram``) -> by level."""
    microarchitecture: dict[Name, dict[str, Numbers]]
    """The same for other CPUs of that microarchitecture."""


class Artefact(_Part, frozen=True, omit_defaults=True):
    """The whole file."""

    schema: int
    model: Name
    version: Name
    licence: Text
    sources: list[Source]
    data_sha256: dict[str, str]
    """Training file -> digest of its bytes."""
    features: list[Feature]
    targets: list[Name]
    coefficients: Coefficients
    quantiles: dict[str, dict[str, Band]]
    """What is known -> scope (``wall``, ``pkg``, ``pkg_small``, ``dram``) -> band; small: under 12
    cores."""
    covariance: Table
    """Of ln(measured / predicted) between the wall's levels: what one measured number tells of the
    others."""
    tdp_exponent: float
    microarchitectures: dict[Name, Microarchitecture]
    """``""``: of a CPU of which nothing is known."""
    cpus: dict[Name, str]
    """Microarchitecture -> ``key tdp cores ghz boost``, separated by ``;``; watts, of one package,
    0: not known."""
    instances: dict[str, str]
    """Cloud instance family -> ``cpu_key_or_microarchitecture host_threads host_gb``."""
    covariance_seen: Table = []
    """The same for CPU models that were in the training data; [] takes the other."""
    fleet: Fleet | None = None
    """None in the shipped one."""


def decode(data: bytes, pinned_sha256: str = "", *, name: str = "the model") -> Artefact:
    """Read an artefact.

    Args:
        data: the file's bytes.
        pinned_sha256: their digest in hexadecimal, if it is known from elsewhere; "" takes any.
        name: what to call it in messages.

    Raises:
        ModelInvalid: it is not the pinned file, or no artefact that this version can use.
    """
    digest = sha256(data).hexdigest()
    if pinned_sha256 and digest != pinned_sha256.lower():
        raise ModelInvalid(
            f"{name}: SHA-256 is {digest}, pinned is {pinned_sha256}; "
            "get the right file, or correct estimator.sha256"
        )
    if len(data) > MAX_BYTES:
        raise ModelInvalid(f"{name}: {len(data)} bytes; an artefact has at most {MAX_BYTES}")
    try:
        schema = msgspec.json.decode(data, type=_Schema).schema
        if schema != SCHEMA:
            raise ModelInvalid(
                f"{name}: schema {schema}; this version reads {SCHEMA}: train it again, or update"
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
    """The wall model's arrays."""
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
"""What may be known of a CPU, best first. ``seen``: the model was in the training data."""


def _check(artefact: Artefact) -> None:
    """Shapes, finite numbers, and what the models divide by.

    Raises:
        ValueError: one is wrong.
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
        raise ValueError("coefficients.wall: a scale or length is not more than 0")
    for name, packed in artefact.cpus.items():
        if not all(_packed(row, 5) for row in packed.split(";")):
            raise ValueError(f"cpus.{name}: not rows of a key and four numbers")
    for name, packed in artefact.instances.items():
        if not _packed(packed, 3):
            raise ValueError(f"instances.{name}: not a CPU and two numbers")
    if "" not in artefact.microarchitectures:
        raise ValueError('microarchitectures: no "", which stands in for an unknown CPU')
    if not all(set(BANDS) <= set(artefact.quantiles.get(known, {})) for known in KNOWN):
        raise ValueError(f"quantiles: needs {', '.join(BANDS)} for each of {', '.join(KNOWN)}")


_Shape = tuple[str, Numbers | Table, tuple[int, ...]]


def _wall_shapes(wall: Wall) -> Iterator[_Shape]:
    """Name, values and shape of each table of the wall model."""
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
    for known, scopes in artefact.quantiles.items():
        for scope, band in scopes.items():
            name = f"quantiles.{known}.{scope}"
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
    """Whether a row is a word and numbers, ``count`` of them together."""
    _, *figures = row.split(" ")
    try:
        return len(figures) == count - 1 and all(0 <= float(figure) < 1e6 for figure in figures)
    except ValueError:
        return False


def _shaped(name: str, values: Numbers | Table, shape: tuple[int, ...]) -> None:
    try:
        array = np.array(values, np.float64).reshape(shape if values else (0,))
    except ValueError:
        raise ValueError(f"{name}: not of shape {shape}") from None
    if array.shape != shape or len(values) != shape[0] or not np.isfinite(array).all():
        raise ValueError(f"{name}: not {shape} finite numbers")


def _rising(name: str, levels: Numbers) -> None:
    if len(levels) < 2 or levels[0] != 0 or levels[-1] != 1 or sorted(set(levels)) != levels:
        raise ValueError(f"{name}: must rise from 0 to 1")
