"""Where electricity is drawn: a cloud's region, a grid zone or a country."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from typing import Final

from wattribute.accounting.carbon.tables import countries, regions
from wattribute.core.errors import IntensityAbsent

_ZONE: Final = re.compile(r"[A-Z]{2}(-[A-Z0-9]{1,8}){0,3}")
_AWS_ZONE: Final = re.compile(r"aws:///([a-z]{2}(?:-[a-z]+)+-\d+)[a-z-]")
"""``aws:///eu-central-1a/i-0abc``; local zones go on (``us-west-2-lax-1a``)."""
_GCE_ZONE: Final = re.compile(r"gce://[^/]+/([a-z]+-[a-z]+\d+)-[a-z]/")


@dataclass(frozen=True, slots=True)
class Place:
    """One place, by the names under which the sources know it."""

    name: str
    """As it was asked for."""
    zone: str
    """Grid zone in Electricity Maps' names: ``DE``, ``US-NW-BPAT``; the widest use of them."""
    region: str = ""
    """``aws/eu-central-1``; "" outside the clouds."""
    watttime_region: str = ""
    """Its balancing area in WattTime's names, where known."""

    @property
    def country(self) -> str:
        """ISO 3166-1 alpha-2."""
        return self.zone[:2]


def find_place(name: str) -> Place:
    """The place of a name: ``aws/eu-central-1``, ``eu-central-1``, ``DE``, ``DEU``, ``US-NW-BPAT``.

    Raises:
        IntensityAbsent: no such place.
    """
    text = name.strip()
    if region := _regions_by_name().get(text.lower()):
        return Place(text, region.zone, region.key, region.watttime_region)
    upper = text.upper()
    if country := _by_alpha3().get(upper):
        return Place(text, country)
    watttime = {row.zone: row.watttime_region for row in regions()}
    is_zone = upper[:2] in countries() or upper in watttime
    if _ZONE.fullmatch(upper) and is_zone:
        return Place(text, upper, watttime_region=watttime.get(upper, ""))
    candidates = [*_regions_by_name(), *countries(), *watttime]
    close = get_close_matches(text, candidates, n=1) or get_close_matches(upper, candidates, n=1)
    hint = f"did you mean {close[0]}?" if close else "give"
    raise IntensityAbsent(
        f"carbon: {name!r} is no place that is known; {hint}"
        + ("" if close else " a country (DE), a grid zone (US-NW-BPAT) or aws/eu-central-1")
    )


def place_of_provider_id(provider_id: str) -> str:
    """The cloud's region in a node's provider id; "" where it does not say (Azure's does not)."""
    if match := _AWS_ZONE.match(provider_id):
        return f"aws/{match[1]}"
    if match := _GCE_ZONE.match(provider_id):
        return f"gcp/{match[1]}"
    return ""


@dataclass(frozen=True, slots=True)
class _Region:
    key: str
    zone: str
    watttime_region: str


@cache
def _regions_by_name() -> Mapping[str, _Region]:
    """By ``aws/eu-central-1``, and by ``eu-central-1`` where only one provider has it."""
    by_name: dict[str, _Region] = {}
    counts: dict[str, int] = {}
    for row in regions():
        region = _Region(f"{row.provider}/{row.region}", row.zone, row.watttime_region)
        by_name[region.key] = region
        counts[row.region] = counts.get(row.region, 0) + 1
        by_name[row.region] = region
    return {
        name: place_region
        for name, place_region in by_name.items()
        if "/" in name or counts[name] == 1
    }


@cache
def _by_alpha3() -> Mapping[str, str]:
    return {row.alpha3: row.country for row in countries().values()}
