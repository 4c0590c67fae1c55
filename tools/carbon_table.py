"""Compiles the tables of ``wattribute/carbon/data`` from published files.

    python -m tools.carbon_table --gsf DIR --ember FILE --iso FILE --ccf DIR

* ``--gsf``: a checkout of the Green Software Foundation's real-time-cloud data, with
  ``Cloud_Region_Metadata.csv`` and ``Cloud_Region_Metadata_estimate.csv``
* ``--ember``: ``average-intensities.json`` of CO2.js (Ember's yearly averages per country)
* ``--iso``: ``iso_3166-1.json`` of Debian's iso-codes
* ``--ccf``: Cloud Carbon Footprint's coefficients of 2026: AWS' instances. GCP's are not used:
  their column of kilograms holds values from 35 to 470,000,000, in more than one unit

What is dropped, and why, is printed. Four faults of the published table are handled:

1. Rows of early years carry another region's grid zone and figure (eu-north-1 as ES in 2021; five
   of Google's European regions shifted by one row in 2019 and 2020): a row whose zone is not that
   of the region's newest row is not used.
2. Rows of a new year repeat the figure of the year before to the digit: such a figure keeps the
   older year, so that nobody takes it for news.
3. Google's figures of 2024 are of another accounting than those before (Quebec's hydropower falls
   from 30.5 to 5.5 g/kWh, Switzerland from 83.8 to 15.1): a series must not change its meaning, so
   it ends in 2023.
4. ``northeurope`` comes twice, as Ireland and as Finland; Azure's North Europe is Ireland.
"""

import argparse
import csv
import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

DATA: Final = Path(__file__).resolve().parent.parent / "src/wattribute/accounting/carbon/data"
_PROVIDERS: Final = {
    "Amazon Web Services": "aws",
    "Google Cloud": "gcp",
    "Microsoft Azure": "azure",
}
_FIGURES: Final = {
    "location": "grid-carbon-intensity-average-consumption-annual",
    "marginal": "grid-carbon-intensity-marginal-consumption-annual",
}
_WRONG: Final = {("azure", "northeurope"): "FI"}
"""Region to a zone that it is not in, though rows say so."""
_INTENSITY_MAX: Final = 1500.0
"""gCO2e/kWh: more than any grid's; lignite alone is about 1,100."""
_LOCATION_UNTIL: Final = "2023"
_PUE: Final = (1.0, 2.5)
_GSF: Final = ("gsf-real-time-cloud", "Green Software Foundation; facts, cited")
_EMBER: Final = ("ember", "CC-BY-SA-4.0; Ember, through CO2.js")
_CCF: Final = ("cloud-carbon-footprint", "Apache-2.0")

Row = Mapping[str, str]


def main() -> None:
    """Write the four tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    for name in ("--gsf", "--ember", "--iso", "--ccf"):
        parser.add_argument(name, type=Path, required=True)
    given = parser.parse_args()
    rows = list(_rows(given.gsf / "Cloud_Region_Metadata.csv"))
    later = list(_rows(given.gsf / "Cloud_Region_Metadata_estimate.csv"))
    zones = zone_of_regions([*rows, *later])
    rows = list(in_their_zone(rows, zones))
    _write(
        "regions.csv",
        ("provider", "region", "zone", "watttime_region", "name"),
        regions([*rows, *later], zones),
    )
    _write(
        "figures.csv",
        ("kind", "key", "year", "value", "source", "licence"),
        [*intensities(rows), *pues(rows)],
    )
    _write(
        "countries.csv",
        ("country", "alpha3", "name", "year", "value", "source", "licence"),
        countries(json.loads(given.ember.read_text()), json.loads(given.iso.read_text())),
    )
    _write(
        "embodied.csv",
        ("provider", "instance_type", "vcpus", "server_vcpus", "server_kg", "source", "licence"),
        aws_servers(given.ccf),
    )


def _rows(path: Path) -> Iterator[Row]:
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            cells = {name: value.strip() for name, value in row.items()}
            cells["provider"] = _PROVIDERS[cells["cloud-provider"]]
            if _WRONG.get((cells["provider"], cells["cloud-region"])) != cells["em-zone-id"]:
                yield cells


def zone_of_regions(rows: Iterable[Row]) -> dict[tuple[str, str], str]:
    """Each region's grid zone: that of its newest row which has one."""
    found: dict[tuple[str, str], tuple[str, str]] = {}
    for row in rows:
        key = row["provider"], row["cloud-region"]
        if row["em-zone-id"] and row["year"] >= found.get(key, ("", ""))[0]:
            found[key] = row["year"], row["em-zone-id"]
    # A later table that is only an estimate names Italy as a whole where the measured one had
    # its north: the finer zone is that of Milan and Turin.
    return {key: "IT-NO" if zone == "IT" else zone for key, (_, zone) in found.items()}


def in_their_zone(rows: Iterable[Row], zones: Mapping[tuple[str, str], str]) -> Iterator[Row]:
    """The rows whose zone is the region's; the others are named."""
    for row in rows:
        key = row["provider"], row["cloud-region"]
        if row["em-zone-id"] == zones.get(key):
            yield row
        else:
            said = f"zone {row['em-zone-id'] or 'none'}, the region is in {zones.get(key, 'none')}"
            _drop(f"{row['year']} {'/'.join(key)}: {said}")


def regions(rows: Iterable[Row], zones: Mapping[tuple[str, str], str]) -> list[tuple[str, ...]]:
    """Every region that has a zone, with WattTime's name for it and a name for people."""
    watttime: dict[tuple[str, str], str] = {}
    names: dict[tuple[str, str], str] = {}
    for row in sorted(rows, key=lambda one: one["year"]):
        key = row["provider"], row["cloud-region"]
        watttime[key] = row["wt-region-id"] or watttime.get(key, "")
        names[key] = row["location"] or names.get(key, "")
    return sorted((*key, zone, watttime[key], names[key]) for key, zone in zones.items())


def intensities(rows: list[Row]) -> list[tuple[object, ...]]:
    """Yearly figures per zone; one that repeats the year before's to the digit keeps that year."""
    table: list[tuple[object, ...]] = []
    for kind, column in _FIGURES.items():
        by_zone: dict[str, dict[str, set[float]]] = defaultdict(lambda: defaultdict(set))
        for row in rows:
            if row[column] and (kind != "location" or row["year"] <= _LOCATION_UNTIL):
                by_zone[row["em-zone-id"]][row["year"]].add(round(float(row[column]), 2))
        for zone, by_year in sorted(by_zone.items()):
            before: set[float] = set()
            for year, values in sorted(by_year.items()):
                news = values - before
                before |= values
                good = {value for value in news if 0 < value <= _INTENSITY_MAX}
                if len(good) == 1:
                    table.append((kind, zone, year, good.pop(), *_GSF))
                elif news:
                    _drop(f"{year} {zone} {kind}: {sorted(news)} of one zone and year")
    return table


def pues(rows: list[Row]) -> list[tuple[object, ...]]:
    """Yearly power usage effectiveness per region."""
    table: dict[tuple[str, str], float] = {}
    for row in rows:
        if not row["power-usage-effectiveness"]:
            continue
        value = float(row["power-usage-effectiveness"])
        key = f"{row['provider']}/{row['cloud-region']}", row["year"]
        if _PUE[0] <= value <= _PUE[1]:
            table[key] = value
        else:
            _drop(f"{key}: PUE {value}")
    return [("pue", *key, value, *_GSF) for key, value in sorted(table.items())]


def countries(
    ember: Mapping[str, Mapping[str, str]], iso: Mapping[str, list[Row]]
) -> list[tuple[object, ...]]:
    """Yearly averages per country."""
    alpha2 = {row["alpha_3"]: row["alpha_2"] for row in iso["3166-1"]}
    table: list[tuple[object, ...]] = []
    for code, row in ember.items():
        value = float(row["emissions_intensity_gco2_per_kwh"])
        if code not in alpha2:
            _drop(f"{row['country_or_region']}: not a country of ISO 3166-1")
        elif not 0 <= value <= _INTENSITY_MAX:
            _drop(f"{code}: {value}")
        else:
            name = row["country_or_region"]
            table.append((alpha2[code], code, name, row["year"], value, *_EMBER))
    return sorted(table, key=str)


def aws_servers(folder: Path) -> Iterator[tuple[object, ...]]:
    """AWS: the server's kg are those of the coefficients, else of the platform."""
    servers = {
        row["type"]: float(row["total"])
        for row in _csv(folder / "coefficients-aws-embodied.csv")
        if row["total"]
    }
    rows = list(_csv(folder / "aws-instances-latest-2026.csv"))
    whole = _largest((row["Instance Type"].split(".")[0], row["vCPUs"]) for row in rows)
    for row in sorted(rows, key=lambda one: one["Instance Type"]):
        name, vcpus = row["Instance Type"], _count(row["vCPUs"])
        tonnes = row["Platform Embedded Emissions (mtCo2eq)"]
        kg = servers.get(name) or (float(tonnes) * 1000 if _is_number(tonnes) else 0.0)
        if vcpus and kg:
            yield "aws", name, vcpus, whole[name.split(".")[0]], kg, *_CCF
        else:
            _drop(f"{name}: no vCPUs or no embodied emissions")


def _csv(path: Path) -> Iterator[Row]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        yield from csv.DictReader(file)


def _largest(pairs: Iterable[tuple[str, str]]) -> dict[str, float]:
    found: dict[str, float] = {}
    for key, text in pairs:
        found[key] = max(found.get(key, 0.0), _count(text))
    return found


def _count(text: str) -> float:
    return float(text) if _is_number(text) else 0.0


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).isdigit()


def _drop(what: str) -> None:
    print(f"not used: {what}", file=sys.stderr)


def _write(name: str, header: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> None:
    with (DATA / name).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        for row in rows:
            writer.writerow(
                int(cell) if isinstance(cell, float) and cell.is_integer() else cell for cell in row
            )


if __name__ == "__main__":
    main()
