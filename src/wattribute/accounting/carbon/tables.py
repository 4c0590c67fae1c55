"""The shipped tables, as rows; ``tools.carbon_table`` compiles them, and says from what."""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Region:
    """One region of a cloud."""

    provider: str
    """``aws``, ``gcp`` or ``azure``."""
    region: str
    zone: str
    watttime_region: str
    name: str


@dataclass(frozen=True, slots=True)
class Figure:
    """One yearly figure, with where it is from."""

    value: float
    """gCO2e/kWh, or a PUE."""
    year: int
    source: str
    licence: str


@dataclass(frozen=True, slots=True)
class Country:
    """One country's yearly average."""

    country: str
    alpha3: str
    name: str
    figure: Figure


@dataclass(frozen=True, slots=True)
class InstanceServer:
    """What an instance type is a part of."""

    vcpus: float
    server_vcpus: float
    """vCPUs of the largest type of its family: taken to be the whole server."""
    server_kg: float
    """kgCO2e of making the server."""
    source: str


@cache
def regions() -> tuple[Region, ...]:
    """Every region whose grid zone is known."""
    return tuple(Region(**row) for row in _rows("regions.csv"))


@cache
def figures() -> Mapping[tuple[str, str], tuple[Figure, ...]]:
    """(``location``, zone), (``marginal``, zone) and (``pue``, region) to figures, by year."""
    by_key: dict[tuple[str, str], list[Figure]] = {}
    for row in _rows("figures.csv"):
        by_key.setdefault((row["kind"], row["key"]), []).append(_figure(row))
    return {
        key: tuple(sorted(values, key=lambda item: item.year)) for key, values in by_key.items()
    }


@cache
def countries() -> Mapping[str, Country]:
    """By ISO 3166-1 alpha-2. The values are Ember's, under CC BY-SA 4.0: a file of its own."""
    return {
        row["country"]: Country(row["country"], row["alpha3"], row["name"], _figure(row))
        for row in _rows("countries.csv")
    }


@cache
def servers() -> Mapping[str, InstanceServer]:
    """By instance type."""
    return {
        row["instance_type"]: InstanceServer(
            float(row["vcpus"]),
            float(row["server_vcpus"]),
            float(row["server_kg"]),
            row["source"],
        )
        for row in _rows("embodied.csv")
    }


def of_year(values: tuple[Figure, ...], year: int) -> Figure:
    """The figure of that year, else of the last before it, else the first after it."""
    before = [item for item in values if item.year <= year]
    return before[-1] if before else values[0]


def _figure(row: Mapping[str, str]) -> Figure:
    return Figure(float(row["value"]), int(row["year"]), row["source"], row["licence"])


def _rows(name: str) -> Iterator[dict[str, str]]:
    text = files("wattribute.accounting.carbon").joinpath("data", name).read_text(encoding="utf-8")
    yield from csv.DictReader(text.splitlines())
