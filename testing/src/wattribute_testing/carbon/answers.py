"""What each of the fake APIs answers: paths, parameters and shapes of the real ones.

Each answer is (status, body). The intensity of an instant is ``at(instant)``, so a test knows it.
"""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

At = Callable[[datetime], float]
Answer = tuple[int, bytes]
Query = Mapping[str, str]

_HOUR: Final = timedelta(hours=1)
_G_PER_LB: Final = 453.59237
_NOT_FOUND: Final = 404, b'{"error": "not found"}'


def electricity_maps(resource: str, query: Query, at: At, zones: frozenset[str]) -> Answer:
    """``/carbon-intensity/{latest,past-range,forecast}``; the hour that is now is estimated."""
    zone = query.get("zone", "")
    if zone not in zones:
        return 404, b'{"error": "Zone \'%s\' does not exist."}' % zone.encode()
    now = _floor(datetime.now(UTC), _HOUR)
    common = {"emissionFactorType": "lifecycle", "temporalGranularity": "hourly"}

    def row(hour: datetime) -> dict[str, object]:
        return {
            "zone": zone,
            "carbonIntensity": round(at(hour), 3),
            "datetime": _zulu(hour, ".000Z"),
            "updatedAt": _zulu(now, ".000Z"),
            "isEstimated": hour >= now,
            "estimationMethod": "TIME_SLICER_AVERAGE" if hour >= now else None,
            **common,
        }

    if resource == "latest":
        return _json(row(now))
    if resource == "past-range":
        start, end = _instant(query["start"]), _instant(query["end"])
        if end - start > timedelta(days=10):
            return 400, b'{"error": "The range is longer than 10 days."}'
        hours = _steps(start, min(end, now + _HOUR), _HOUR)
        return _json({"zone": zone, "data": [row(hour) for hour in hours]})
    if resource == "forecast":
        hours = _steps(now, now + int(query.get("horizonHours", "24")) * _HOUR, _HOUR)
        ahead = [
            {"carbonIntensity": round(at(hour), 3), "datetime": _zulu(hour, ".000Z")}
            for hour in hours
        ]
        return _json({"zone": zone, "forecast": ahead, "updatedAt": _zulu(now, ".000Z")})
    return _NOT_FOUND


def watttime(resource: str, query: Query, at: At, regions: frozenset[str]) -> Answer:
    """``/v3/{historical,forecast}``; pounds per megawatt-hour, every five minutes."""
    region = query.get("region", "")
    if region not in regions:
        return 403, b'{"error": "INVALID_SCOPE", "message": "No access to this region."}'
    step = timedelta(minutes=5)
    now = _floor(datetime.now(UTC), step)
    meta: dict[str, object] = {
        "region": region,
        "signal_type": query["signal_type"],
        "model": {"date": "2026-03-01"},
        "units": "lbs_co2_per_mwh",
        "data_point_period_seconds": 300,
        "warnings": [],
    }
    if resource == "forecast":
        hours = int(query.get("horizon_hours", "24"))
        meta |= {"generated_at": _zulu(now, "+00:00"), "generated_at_period_seconds": 300}
        times = _steps(now, now + max(hours * _HOUR, step), step)
    else:
        start, end = _instant(query["start"]), _instant(query["end"])
        if end - start > timedelta(days=32):
            return 400, b'{"error": "BAD_REQUEST", "message": "Query is longer than 32 days."}'
        times = _steps(start, min(end, now), step)
    data = [
        {"point_time": _zulu(time, "+00:00"), "value": at(time) / _G_PER_LB * 1000}
        for time in times
    ]
    return _json({"data": data, "meta": meta})


def uk(path: str, at: At) -> Answer:
    """``/intensity`` and its sub-paths; ``actual`` is null for half-hours that are not over."""
    step = timedelta(minutes=30)
    now = _floor(datetime.now(UTC), step)
    match path.strip("/").split("/"):
        case ["intensity"]:
            times = [now]
        case ["intensity", start, "fw48h"]:
            first = _floor(_instant(start), step)
            times = _steps(first, first + 48 * _HOUR, step)
        case ["intensity", start, end] if _instant(end) - _instant(start) <= timedelta(days=14):
            # The half-hour that ends at `from` is in the answer too.
            times = _steps(_floor(_instant(start), step) - step, _instant(end), step)
        case ["intensity", _, _]:
            return 400, b'{"error": {"code": "400 Bad Request", "message": "over 14 days"}}'
        case _:
            return _NOT_FOUND
    rows = [
        {
            "from": f"{time:%Y-%m-%dT%H:%MZ}",
            "to": f"{time + step:%Y-%m-%dT%H:%MZ}",
            "intensity": {
                "forecast": round(at(time)) + 1,
                "actual": round(at(time)) if time < now else None,
                "index": "moderate",
            },
        }
        for time in times
    ]
    return _json({"data": rows})


def entsoe(query: Query, at: At, domains: frozenset[str]) -> Answer:
    """A75: coal (820 g/kWh) and onshore wind (11), in the proportion that gives ``at``."""
    if query.get("in_Domain") not in domains:
        return 200, _acknowledgement("999", "No matching data found")
    start, end = (
        datetime.strptime(query[name], "%Y%m%d%H%M").replace(tzinfo=UTC)
        for name in ("periodStart", "periodEnd")
    )
    end = min(end, _floor(datetime.now(UTC), _HOUR))
    times = _steps(start, end, _HOUR)
    coal = {time: 1000 * (at(time) - 11) / (820 - 11) for time in times}
    wind = {time: 1000 - megawatts for time, megawatts in coal.items()}
    series = "".join(
        _series(number, psr, start, end, [amounts[time] for time in times])
        for number, (psr, amounts) in enumerate((("B05", coal), ("B19", wind)), start=1)
    )
    stored = _series(3, "B10", start, end, [500.0 for _ in times], side="out")
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<GL_MarketDocument xmlns="urn:iec62325.351:tc57wg16:451-6:generationloaddocument:3:0">'
        f"<mRID>1</mRID><type>A75</type>{series}{stored}</GL_MarketDocument>"
    )
    return 200, text.encode()


def _series(
    number: int, psr: str, start: datetime, end: datetime, amounts: list[float], *, side: str = "in"
) -> str:
    """One type's series; a point that repeats the one before it is left out (curve type A03)."""
    points = "".join(
        f"<Point><position>{position}</position><quantity>{amount:.6f}</quantity></Point>"
        for position, amount in enumerate(amounts, start=1)
        if position == 1 or amount != amounts[position - 2]
    )
    domain = f"{side}BiddingZone_Domain.mRID"
    return (
        f"<TimeSeries><mRID>{number}</mRID><{domain}>x</{domain}>"
        "<quantity_Measure_Unit.name>MAW</quantity_Measure_Unit.name><curveType>A03</curveType>"
        f"<MktPSRType><psrType>{psr}</psrType></MktPSRType><Period><timeInterval>"
        f"<start>{start:%Y-%m-%dT%H:%MZ}</start><end>{end:%Y-%m-%dT%H:%MZ}</end></timeInterval>"
        f"<resolution>PT60M</resolution>{points}</Period></TimeSeries>"
    )


def _acknowledgement(code: str, text: str) -> bytes:
    return (
        "<Acknowledgement_MarketDocument "
        'xmlns="urn:iec62325.351:tc57wg16:451-1:acknowledgementdocument:7:0">'
        f"<Reason><code>{code}</code><text>{text}</text></Reason>"
        "</Acknowledgement_MarketDocument>"
    ).encode()


def _json(body: object) -> Answer:
    return 200, json.dumps(body).encode()


def _steps(start: datetime, end: datetime, step: timedelta) -> list[datetime]:
    first = _floor(start, step)
    return [first + number * step for number in range(max(0, -((first - end) // step)))]


def _floor(instant: datetime, step: timedelta) -> datetime:
    return instant - (instant - datetime(2000, 1, 1, tzinfo=UTC)) % step


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _zulu(instant: datetime, suffix: str) -> str:
    return f"{instant:%Y-%m-%dT%H:%M:%S}{suffix}"
