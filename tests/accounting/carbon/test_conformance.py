"""Every carbon source keeps what the table and its facts promise; a failure says the step to take.

The recipe is in CONTRIBUTING.md, "Add a carbon source".
"""

import importlib
import inspect
import pkgutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from types import ModuleType

import pytest
from msgspec.structs import replace

import wattribute.accounting.carbon
from wattribute.accounting.backends import CARBON_SOURCES
from wattribute.accounting.carbon import Basis, open_grid
from wattribute.accounting.carbon.intensity import CarbonBackend
from wattribute.accounting.settings import AccountingSettings
from wattribute.core.errors import ConfigInvalid
from wattribute.core.settings import keys

ROOT = Path(__file__).parents[3]
GUIDE = (ROOT / "docs/user/carbon.md").read_text(encoding="utf-8")
ASKED = ("latest", "between", "forecast")
NO_SOURCES = {"Market", "Grid"}
"""They answer as a source does, and nobody names them in ``carbon.sources``."""


def _modules() -> list[ModuleType]:
    package = wattribute.accounting.carbon
    return [
        importlib.import_module(f"{package.__name__}.{info.name}")
        for info in pkgutil.iter_modules(package.__path__)
    ]


@pytest.mark.parametrize("name", CARBON_SOURCES.names)
def test_a_source_of_the_table_says_what_it_is(name: str) -> None:
    backend = CARBON_SOURCES.load(name, CarbonBackend)

    assert backend.name == name, (
        f"accounting/backends.py calls it {name!r}, and its BACKEND {backend.name!r}"
    )
    assert backend.basis is not Basis.MARKET, f"{name}: contracts are no source; see carbon.market"
    assert CARBON_SOURCES.entries[name][1].endswith("."), f"{name}: its row is no sentence"
    assert f"`{name}`" in GUIDE, f"docs/user/carbon.md does not name `{name}`: say what it needs"


@pytest.mark.parametrize("name", CARBON_SOURCES.names)
def test_a_source_can_be_opened_or_says_which_setting_is_missing(
    room: Callable[..., AccountingSettings], name: str
) -> None:
    backend = CARBON_SOURCES.load(name, CarbonBackend)
    try:
        source = backend.open(room(), backend.basis or Basis.LOCATION)
    except ConfigInvalid as exc:
        assert "carbon." in str(exc), f"{name}: name the setting that is missing: {exc}"  # noqa: PT017
        return

    assert source.name == name, f"{name}: the source calls itself {source.name!r}"
    assert source.basis is (backend.basis or Basis.LOCATION)
    assert isinstance(source.live, bool)
    assert source.window >= timedelta(hours=1), f"{name}: no question fits into its window"
    for method in ASKED:
        assert callable(getattr(source, method)), f"{name}: has no method {method}"


def test_the_settings_take_the_names_of_the_table() -> None:
    allowed = keys(AccountingSettings)["carbon.sources"].allowed

    for name in CARBON_SOURCES.names:
        assert name in allowed


@pytest.mark.parametrize("module", _modules(), ids=lambda m: m.__name__.rpartition(".")[2])
def test_a_source_that_was_written_is_in_the_table(module: ModuleType) -> None:
    name = module.__name__.rpartition(".")[2]
    sources = [
        kind.__name__
        for kind in vars(module).values()
        if inspect.isclass(kind)
        and kind.__module__ == module.__name__
        and not getattr(kind, "_is_protocol", False)
        and kind.__name__ not in NO_SOURCES
        and all(hasattr(kind, method) for method in ASKED)
    ]
    facts = getattr(module, "BACKEND", None)

    if sources:
        assert isinstance(facts, CarbonBackend), (
            f"carbon/{name}.py has {sources[0]} and no BACKEND: end the module with its facts"
        )
    if isinstance(facts, CarbonBackend):
        places = [place for place, _ in CARBON_SOURCES.entries.values()]
        assert f"{name}:BACKEND" in places, (
            f"carbon/{name}.py is not in the table CARBON_SOURCES of accounting/backends.py: "
            "add its row"
        )


def test_a_name_that_the_table_lacks_is_a_clear_error(
    room: Callable[..., AccountingSettings],
) -> None:
    """Whoever makes settings in code gets past the check that files go through."""
    settings = room()
    carbon = replace(settings.carbon, sources=("nowhere",))
    with pytest.raises(ConfigInvalid, match=r"nowhere: no such carbon source; there are .*table"):
        open_grid(replace(settings, carbon=carbon))
