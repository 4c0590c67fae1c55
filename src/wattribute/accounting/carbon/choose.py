"""The table of sources: settings -> the grid that asks them."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from wattribute.accounting.carbon.cache import Cache
from wattribute.accounting.carbon.csvfile import CsvFile
from wattribute.accounting.carbon.grid import Grid
from wattribute.accounting.carbon.intensity import Basis, Source
from wattribute.accounting.carbon.pue import Facility
from wattribute.accounting.carbon.yearly import Market, Table
from wattribute.accounting.settings import AccountingSettings
from wattribute.core.errors import ConfigInvalid

_BASIS: Final = {
    "electricity-maps": Basis.LOCATION,
    "watttime": Basis.MARGINAL,
    "uk": Basis.LOCATION,
    "entsoe": Basis.LOCATION,
}
"""What a live source counts; the others count as what is asked for."""


def open_grid(settings: AccountingSettings, basis: Basis | None = None) -> Grid:
    """The sources of the settings that have this basis, in their order.

    Args:
        settings: The whole tree; ``carbon`` and, for the source ``prometheus``, ``ledger``.
        basis: None takes the one of the settings.

    Raises:
        ConfigInvalid: no source has this basis, or one lacks what it needs.
    """
    room = settings.carbon
    basis = basis or Basis(room.basis)
    if basis is Basis.MARKET:
        sources: list[Source] = [Market(room.market, room.market_source)]
    else:
        names = [name for name in room.sources if _BASIS.get(name, basis) is basis]
        if not names:
            raise ConfigInvalid(
                f"carbon.sources: none of {', '.join(room.sources)} has {basis.value} intensities; "
                "add table"
            )
        sources = [_SOURCES[name](settings, basis) for name in names]
    return Grid(
        sources, Facility(room.pue), Cache(_cache_folder(room.cache)), refresh_s=room.refresh
    )


def _cache_folder(setting: str) -> Path | None:
    if setting == "none":
        return None
    if setting:
        return Path(setting)
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111 - Path.expanduser fails without a home
    return Path(home) / "wattribute" / "carbon"


def _table(_settings: AccountingSettings, basis: Basis) -> Source:
    return Table(basis)


def _csv(settings: AccountingSettings, basis: Basis) -> Source:
    if not settings.carbon.csv:
        raise ConfigInvalid("carbon.sources: csv needs carbon.csv, the file")
    return CsvFile(settings.carbon.csv, basis)


def _electricity_maps(settings: AccountingSettings, _basis: Basis) -> Source:
    from wattribute.accounting.carbon.electricity_maps import ElectricityMaps  # noqa: PLC0415 - brings httpx

    room = settings.carbon
    return ElectricityMaps(
        room.electricity_maps_url, room.electricity_maps_token_file, room.timeout
    )


def _watttime(settings: AccountingSettings, _basis: Basis) -> Source:
    from wattribute.accounting.carbon.watttime import WattTime  # noqa: PLC0415

    room = settings.carbon
    return WattTime(room.watttime_url, room.watttime_credentials, room.timeout)


def _uk(settings: AccountingSettings, _basis: Basis) -> Source:
    from wattribute.accounting.carbon.uk import UkCarbonIntensity  # noqa: PLC0415

    return UkCarbonIntensity(settings.carbon.uk_url, settings.carbon.timeout)


def _entsoe(settings: AccountingSettings, _basis: Basis) -> Source:
    from wattribute.accounting.carbon.entsoe import Entsoe  # noqa: PLC0415

    room = settings.carbon
    return Entsoe(room.entsoe_url, room.entsoe_token_file, room.timeout)


def _prometheus(settings: AccountingSettings, basis: Basis) -> Source:
    from wattribute.accounting.carbon.prometheus import PrometheusSeries  # noqa: PLC0415

    room = settings.carbon
    if not room.prometheus_selector or not settings.ledger.prometheus_url:
        raise ConfigInvalid(
            "carbon.sources: prometheus needs carbon.prometheus_selector and ledger.prometheus_url"
        )
    return PrometheusSeries(settings.ledger, room.prometheus_selector, basis, room.timeout)


_SOURCES: Final[Mapping[str, Callable[[AccountingSettings, Basis], Source]]] = {
    "electricity-maps": _electricity_maps,
    "watttime": _watttime,
    "uk": _uk,
    "entsoe": _entsoe,
    "csv": _csv,
    "prometheus": _prometheus,
    "table": _table,
}
