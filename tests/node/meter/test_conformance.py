"""Every meter keeps what the table and its own facts promise; each failure says the step to take.

The recipe is in CONTRIBUTING.md, "Add a meter".
"""

import importlib
import inspect
import pkgutil
from pathlib import Path
from types import ModuleType

import pytest

import wattribute.node.meter
from wattribute.core.records.reading import COMPONENT_OF_KIND
from wattribute.core.settings import keys
from wattribute.node.backends import ESTIMATE, METERS
from wattribute.node.meter import Meter
from wattribute.node.meter.backend import MeterBackend
from wattribute.node.meter.choose import choose_meters
from wattribute.node.settings import ActivitySettings, MeterSettings, NodeSettings

ROOT = Path(__file__).parents[3]
GUIDES = "\n".join(
    path.read_text(encoding="utf-8")
    for folder in ("user", "developer")
    for path in (ROOT / "docs" / folder).glob("*.md")
)
KINDS = {*COMPONENT_OF_KIND, "core", "uncore", "platform"}
LIBRARIES = {"amdsmi_library", "nvml_library"}
"""They import a vendor's package, which is not there in a test."""


def _modules() -> list[ModuleType]:
    package = wattribute.node.meter
    return [
        importlib.import_module(f"{package.__name__}.{info.name}")
        for info in pkgutil.iter_modules(package.__path__)
        if info.name not in LIBRARIES
    ]


def _meters_in(module: ModuleType) -> list[str]:
    """Return the classes that a module defines and that have all of a meter, its name too."""
    members = [name for name in vars(Meter) if not name.startswith("_")] + ["name"]
    return [
        name
        for name, kind in vars(module).items()
        if inspect.isclass(kind)
        and kind.__module__ == module.__name__
        and not inspect.isabstract(kind)
        and all(hasattr(kind, member) for member in members)
    ]


@pytest.fixture(params=METERS.names)
def backend(request: pytest.FixtureRequest) -> MeterBackend:
    return METERS.load(request.param, MeterBackend)


def test_a_meter_of_the_table_says_what_it_is(backend: MeterBackend) -> None:
    where = METERS.entries[backend.name][0] if backend.name in METERS.names else "its module"

    assert backend.name in METERS.names, (
        f"the table in node/backends.py has no {backend.name!r}: its row and BACKEND.name differ"
    )
    assert where == f"{backend.name}:BACKEND", f"{backend.name}: its row names {where}"
    assert METERS.entries[backend.name][1].endswith("."), f"{backend.name}: its row is no sentence"
    assert backend.sees, f"{backend.name}: say in BACKEND.sees what it measures"
    assert backend.kinds, f"{backend.name}: name the kinds of its zones in BACKEND.kinds"
    assert backend.kinds <= KINDS, f"{backend.name}: unknown kinds {backend.kinds - KINDS}"
    assert backend.sources or backend.other_machine, (
        f"{backend.name}: name the source of its zones in BACKEND.sources"
    )


def test_a_meter_is_in_a_guide_and_has_a_test(backend: MeterBackend) -> None:
    assert f"`{backend.name}`" in GUIDES, (
        f"no page in docs/user or docs/developer names `{backend.name}`: say what it measures"
    )
    assert (Path(__file__).parent / f"test_{backend.name}.py").exists(), (
        f"{backend.name}: write tests/node/meter/test_{backend.name}.py"
    )


def test_the_settings_take_the_names_of_the_table() -> None:
    allowed = keys(NodeSettings)["meter.use"].allowed

    for name in ("auto", *METERS.names, ESTIMATE):
        assert name in allowed


def test_two_meters_have_no_source_in_common() -> None:
    """The source is all that tells two meters' energy apart in the metrics."""
    owner: dict[str, str] = {}
    for name in METERS.names:
        for source in METERS.load(name, MeterBackend).sources:
            assert source not in owner, f"{name} and {owner[source]} both call a source {source!r}"
            owner[source] = name


def test_auto_tries_every_meter_that_says_so(tmp_path: Path) -> None:
    """A meter that is never tried would be there, and nobody could tell why it is not used."""
    (tmp_path / "proc").mkdir()
    settings = NodeSettings(
        meter=MeterSettings(sysfs=str(tmp_path), rocm=str(tmp_path)),
        activity=ActivitySettings(procfs=str(tmp_path / "proc")),
    )

    findings = {f.name: f for f in choose_meters(settings, patience_s=0.0).findings}

    assert list(findings) == list(METERS.names)
    for name, finding in findings.items():
        tried = finding.state != "not used"
        assert tried == METERS.load(name, MeterBackend).auto, f"{name}: {finding.message}"
        assert finding.message, f"{name}: say why it is not used, and what would fix it"


@pytest.mark.parametrize("module", _modules(), ids=lambda m: m.__name__.rpartition(".")[2])
def test_a_meter_that_was_written_is_in_the_table(module: ModuleType) -> None:
    name = module.__name__.rpartition(".")[2]
    facts = getattr(module, "BACKEND", None)

    if meters := _meters_in(module):
        assert isinstance(facts, MeterBackend), (
            f"meter/{name}.py has {meters[0]} and no BACKEND: end the module with its facts"
        )
    if isinstance(facts, MeterBackend):
        assert name in METERS.names, (
            f"meter/{name}.py is not in the table METERS of node/backends.py: add its row"
        )
