"""Carbon intensity from a series in Prometheus, such as grid-intensity-exporter's.

``grid_intensity_carbon_average{location="{zone}"}``: one series in g/kWh, raw samples, each of
which holds until the next.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Final

from msgspec.structs import replace

from wattribute.accounting.carbon.answers import AnswerReader
from wattribute.accounting.carbon.hours import by_hour, hours_of
from wattribute.accounting.carbon.intensity import Basis, CarbonBackend, Intensity
from wattribute.accounting.carbon.place import Place
from wattribute.accounting.promql.client import Prometheus
from wattribute.accounting.settings import AccountingSettings, LedgerSettings
from wattribute.core.errors import (
    ConfigInvalid,
    IntensityAbsent,
    IntensityDenied,
    IntensityFailed,
    SourceDenied,
    SourceFailed,
)
from wattribute.core.units import MILLISECONDS_PER_SECOND

_HOLDS: Final = timedelta(minutes=30)
"""A sample holds until the next, but no longer than this: exporters renew every 5 to 30 minutes."""


class PrometheusSeries:
    """The source ``prometheus``."""

    name = "prometheus"
    live = True
    window = timedelta(days=7)

    def __init__(
        self, server: LedgerSettings, selector: str, basis: Basis, timeout_s: float
    ) -> None:
        """Nothing is asked yet.

        Args:
            server: Where Prometheus is, and how it wants to be asked.
            selector: Of one series; ``{place}`` and ``{zone}`` are put in.
            basis: What the series counts.
            timeout_s: For one answer.
        """
        self.basis = basis
        self._server = replace(server, timeout=max(1.0, timeout_s))
        self._selector = selector

    def latest(self, place: Place) -> Intensity:
        """The newest sample of the last two hours."""
        now = datetime.now(UTC)
        samples = self._samples(place, now - timedelta(hours=2), now)
        if not samples:
            raise IntensityAbsent(f"prometheus: no sample of {place.name} in the last two hours")
        return samples[-1]

    def between(self, place: Place, start: datetime, end: datetime) -> Sequence[Intensity]:
        """Means of hours."""
        hours = list(hours_of(start, end))
        by_time = by_hour(self._samples(place, start - _HOLDS, end), hours)
        return [by_time[hour] for hour in hours if hour in by_time]

    def forecast(self, place: Place, hours: int) -> Sequence[Intensity]:
        """None: a series is of the past."""
        raise IntensityAbsent(f"prometheus: a series has no forecast ({place.name}, {hours} h)")

    def _samples(self, place: Place, start: datetime, end: datetime) -> list[Intensity]:
        """Raw samples, each until the next."""
        selector = self._selector.replace("{place}", _quoted(place.name))
        selector = selector.replace("{zone}", place.zone)
        try:
            with Prometheus(self._server, sleep=lambda _: None) as server:
                series = list(server.raw(selector, start.timestamp(), end.timestamp()))
        except SourceDenied as exc:
            raise IntensityDenied(f"prometheus: {exc}") from exc
        except SourceFailed as exc:
            raise IntensityFailed(f"prometheus: {exc}") from exc
        if not series:
            raise IntensityAbsent(f"prometheus: {selector}: no such series")
        if len(series) > 1:
            raise IntensityFailed(
                f"prometheus: {selector}: {len(series)} series; carbon.prometheus_selector must "
                "select one"
            )
        reading = AnswerReader(self.name, self.basis, place)
        times = [
            datetime.fromtimestamp(at / MILLISECONDS_PER_SECOND, UTC)
            for at in series[0].time_ms.tolist()
        ]
        lengths = [min(after - before, _HOLDS) for before, after in pairwise(times)]
        grams = series[0].values.tolist()
        return [
            reading.value(at, length, value)
            for at, length, value in zip(times, [*lengths, _HOLDS], grams, strict=False)
        ]


def _quoted(text: str) -> str:
    """A name that people chose, inside the quotes of PromQL."""
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _open(settings: AccountingSettings, basis: Basis) -> PrometheusSeries:
    carbon = settings.carbon
    if not carbon.prometheus_selector or not settings.ledger.prometheus_url:
        raise ConfigInvalid(
            "carbon.sources: prometheus needs carbon.prometheus_selector and ledger.prometheus_url"
        )
    return PrometheusSeries(settings.ledger, carbon.prometheus_selector, basis, carbon.timeout)


BACKEND: Final = CarbonBackend("prometheus", _open)
