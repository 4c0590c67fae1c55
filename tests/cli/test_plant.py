import json
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def _signals_as_before() -> Iterator[None]:
    """The command takes SIGINT and SIGTERM for itself; a test's process goes on."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


SCENARIO = {"floor_watts": 100, "groups": [], "dram": False}


def test_the_plant_prints_what_was_true(call: Call, tmp_path: Path) -> None:
    scenario = tmp_path / "scenario.json"
    scenario.write_text(json.dumps(SCENARIO))
    folder = tmp_path / "sys"
    options = ("--scenario", str(scenario), "--seconds", "0.3")

    code, out, err = call("dev", "plant", str(folder), *options)

    assert code == 0
    assert (folder / "class/powercap/intel-rapl:0/energy_uj").exists()
    lines = {line.split()[0]: line.split()[1:] for line in out.splitlines()}
    assert list(lines)[:2] == ["ROW", "floor"]
    assert 20 < float(lines["floor"][-1]) < 100
    assert f"--sysfs {folder}" in err


def test_the_truth_in_json(call: Call, tmp_path: Path) -> None:
    scenario = tmp_path / "scenario.json"
    scenario.write_text(json.dumps(SCENARIO))

    _, out, _ = call(
        *("dev", "plant", str(tmp_path / "sys"), "--scenario", str(scenario)),
        *("--seconds", "0.1", "--json"),
    )

    assert json.loads(out)["finished"] is True


def test_a_scenario_that_is_wrong_is_one_line(call: Call, tmp_path: Path) -> None:
    scenario = tmp_path / "scenario.json"
    scenario.write_text('{"flor_watts": 1}')

    code, _, err = call("dev", "plant", str(tmp_path / "sys"), "--scenario", str(scenario))

    assert code == 2
    assert "flor_watts" in err


def test_without_the_fakes_it_says_how_to_install_them(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.startswith("wattribute_testing")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [_NoFakes, *sys.meta_path])

    code, _, err = call("dev", "plant", str(tmp_path))

    assert code == 2
    assert "pip install ./testing" in err


class _NoFakes:
    """An environment in which wattribute-testing is not installed."""

    @staticmethod
    def find_spec(name: str, *_: object) -> None:
        if name == "wattribute_testing" or name.startswith("wattribute_testing."):
            raise ModuleNotFoundError(f"No module named {name!r}", name="wattribute_testing")
