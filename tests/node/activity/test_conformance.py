"""Every source of activity keeps what the table and its own facts promise.

Each failure says the step to take. The recipe is in CONTRIBUTING.md, "Add an activity source".
"""

import importlib
import inspect
import pkgutil
from pathlib import Path
from types import ModuleType

import pytest

import wattribute.node.activity
from wattribute.core.settings import keys
from wattribute.node.activity import Activity
from wattribute.node.activity.backend import ActivityBackend
from wattribute.node.backends import ACTIVITY_SOURCES
from wattribute.node.settings import NodeSettings

ROOT = Path(__file__).parents[3]
GUIDES = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "docs").rglob("*.md"))


def _modules() -> list[ModuleType]:
    package = wattribute.node.activity
    return [
        importlib.import_module(f"{package.__name__}.{info.name}")
        for info in pkgutil.iter_modules(package.__path__)
        if not info.ispkg
    ]


def _sources_in(module: ModuleType) -> list[str]:
    """Return the classes that a module defines and that have all of a source, its name too."""
    members = [name for name in vars(Activity) if not name.startswith("_")] + ["name"]
    return [
        name
        for name, kind in vars(module).items()
        if inspect.isclass(kind)
        and kind.__module__ == module.__name__
        and all(hasattr(kind, member) for member in members)
    ]


@pytest.fixture(params=ACTIVITY_SOURCES.names)
def backend(request: pytest.FixtureRequest) -> ActivityBackend:
    backend = ACTIVITY_SOURCES.load(request.param, ActivityBackend)
    assert backend.name == request.param, (
        f"the table in node/backends.py calls it {request.param!r}, and BACKEND {backend.name!r}"
    )
    return backend


def test_a_source_of_the_table_says_what_it_is(backend: ActivityBackend) -> None:
    assert ACTIVITY_SOURCES.entries[backend.name][1].endswith("."), "its row is no sentence"
    assert backend.sees, f"{backend.name}: say in BACKEND.sees what it sees"
    assert f"`{backend.name}`" in GUIDES, f"no page in docs names `{backend.name}`"


def test_only_the_last_source_is_the_last_resort() -> None:
    last = [
        name
        for name in ACTIVITY_SOURCES.names
        if ACTIVITY_SOURCES.load(name, ActivityBackend).last_resort
    ]

    assert last == [ACTIVITY_SOURCES.names[-1]]


def test_the_settings_take_the_names_of_the_table() -> None:
    assert keys(NodeSettings)["activity.source"].words == ("auto", *ACTIVITY_SOURCES.names)


@pytest.mark.parametrize("module", _modules(), ids=lambda m: m.__name__.rpartition(".")[2])
def test_a_source_that_was_written_is_in_the_table(module: ModuleType) -> None:
    name = module.__name__.rpartition(".")[2]
    facts = getattr(module, "BACKEND", None)

    if sources := _sources_in(module):
        assert isinstance(facts, ActivityBackend), (
            f"activity/{name}.py has {sources[0]} and no BACKEND: end the module with its facts"
        )
    if isinstance(facts, ActivityBackend):
        assert name in ACTIVITY_SOURCES.names, (
            f"activity/{name}.py is not in ACTIVITY_SOURCES of node/backends.py: add its row"
        )
