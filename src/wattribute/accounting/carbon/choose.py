"""The settings choose the sources of a grid."""

import os
from pathlib import Path

from wattribute.accounting.backends import CARBON_SOURCES
from wattribute.accounting.carbon.cache import Cache
from wattribute.accounting.carbon.grid import Grid
from wattribute.accounting.carbon.intensity import Basis, CarbonBackend, IntensitySource
from wattribute.accounting.carbon.pue import Facility
from wattribute.accounting.carbon.yearly import Market
from wattribute.accounting.settings import AccountingSettings
from wattribute.core.errors import ConfigInvalid


def open_grid(settings: AccountingSettings, basis: Basis | None = None) -> Grid:
    """Open the sources that the settings name and that have this basis, in their order.

    Args:
        settings: ``carbon``; and ``ledger`` for the source ``prometheus``.
        basis: What is counted; None takes ``carbon.basis``.

    Raises:
        ConfigInvalid: No source has this basis, a name is unknown, or a source lacks what it needs.
    """
    carbon = settings.carbon
    basis = basis or Basis(carbon.basis)
    if basis is Basis.MARKET:
        sources: list[IntensitySource] = [Market(carbon.market, carbon.market_source)]
    else:
        backends = [CARBON_SOURCES.load(name, CarbonBackend) for name in carbon.sources]
        fitting = [backend for backend in backends if backend.basis in (None, basis)]
        if not fitting:
            raise ConfigInvalid(
                f"carbon.sources: none of {', '.join(carbon.sources)} has {basis.value} "
                "intensities; add table"
            )
        sources = [backend.open(settings, basis) for backend in fitting]
    return Grid(
        sources, Facility(carbon.pue), Cache(_cache_folder(carbon.cache)), refresh_s=carbon.refresh
    )


def _cache_folder(setting: str) -> Path | None:
    if setting == "none":
        return None
    if setting:
        return Path(setting)
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111 - Path.expanduser fails without a home
    return Path(home) / "wattribute" / "carbon"
