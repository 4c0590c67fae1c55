"""``pytest --energy``, in pytests of its own."""

import json
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest_plugins = ["pytester"]

TESTS = """
import pytest

def burn(rounds):
    for _ in range(rounds):
        pass

def test_plain():
    burn(300_000)

@pytest.mark.energy(max_joules=1e9)
def test_small():
    burn(300_000)

@pytest.mark.energy(max_joules=1e-9)
def test_large():
    burn(3_000_000)

@pytest.mark.energy(max_regression=0.05, runs=3)
def test_gated(tmp_path):
    burn(300_000)
"""


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    monkeypatch.setenv("WATTRIBUTE_METER__USE", "estimate")
    monkeypatch.setenv("WATTRIBUTE_ACTIVITY__SOURCE", "procfs")
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # the others cost seconds
    pytester.makepyfile(test_it=TESTS)
    return pytester


def run(project: pytest.Pytester, *flags: str) -> pytest.RunResult:
    return project.runpytest_subprocess("-p", "wattribute.pytest_plugin", *flags)


def test_without_the_flag_nothing_is_measured_and_the_marker_is_known(
    project: pytest.Pytester,
) -> None:
    result = run(project, "--strict-markers")

    result.assert_outcomes(passed=4)
    result.stdout.no_fnmatch_line("*joules*")


def test_limits_fail_tests_and_the_summary_has_joules(project: pytest.Pytester) -> None:
    result = run(project, "--energy", "--junitxml=j.xml")

    result.assert_outcomes(passed=3, failed=1)
    result.stdout.fnmatch_lines(
        [
            "*energy: regression: * J, limit 1e-09; in 1 of 1 runs more than*",
            "*= energy =*",
            "* joules * watts *runs *origin *test",
            "*estimated*test_it.py::test_large*[[]regression[]]",
            "*in total, 4 tests*",
            "test_it.py::test_gated: not comparable: no baseline for *",
        ]
    )
    assert '<property name="energy_joules"' in (project.path / "j.xml").read_text()


def test_without_a_baseline_strict_fails(project: pytest.Pytester) -> None:
    result = run(project, "--energy", "--energy-strict", "-k", "gated")

    result.assert_outcomes(failed=1)


def test_a_baseline_is_written_found_again_and_decides(project: pytest.Pytester) -> None:
    run(project, "--energy", "--energy-update").stdout.fnmatch_lines(
        ["*.energy-baseline.json: baseline of 1 tests with max_regression"]
    )
    path = project.path / ".energy-baseline.json"
    book = json.loads(path.read_text())
    (entry,) = book["series"]
    assert entry["name"] == "test_it.py::test_gated"
    assert entry["location"] == "test_it.py:18"
    assert len(entry["runs"]) == 3
    for number, figures in enumerate(entry["runs"]):
        figures["energy_j"] = 1e-6 * (1 + number / 100)
    path.write_text(json.dumps(book))

    result = run(project, "--energy", "--energy-strict", "-k", "gated")

    result.assert_outcomes(failed=1)  # a million times as much; or the machine is too noisy
    result.stdout.fnmatch_lines(["*energy: *"])


def test_a_wrong_marker_ends_the_session_with_one_line(project: pytest.Pytester) -> None:
    project.makepyfile(test_it="import pytest\n@pytest.mark.energy(watts=3)\ndef test_x(): pass")
    result = run(project, "--energy")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*test_it.py::test_x: @pytest.mark.energy:*watts*"])


@pytest.mark.parametrize(
    ("mark", "said"),
    [
        (pytest.mark.energy(metric="watts"), "not one of energy_j"),
        (pytest.mark.energy(max_joules=-1), "greater than 0"),
        (pytest.mark.energy(max_regression="5%"), "float"),
        (pytest.mark.energy(7), "by name"),
    ],
)
def test_what_a_marker_may_not_say(mark: pytest.MarkDecorator, said: str) -> None:
    from wattribute.automation.gate.pytest_energy import marker_of

    item = SimpleNamespace(nodeid="t.py::t", get_closest_marker=lambda _: mark.mark)
    with pytest.raises(pytest.UsageError, match=said):
        marker_of(item)  # type: ignore[arg-type]


def test_workers_send_what_they_measured(project: pytest.Pytester) -> None:
    pytest.importorskip("xdist")
    flags = ("-p", "xdist", "-n", "2", "--energy", "--energy-update", "-k", "not large")
    result = run(project, *flags)

    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(["*in total, 3 tests*", "*baseline of 1 tests*"])
    assert (project.path / ".energy-baseline.json").exists()


def test_pytest_finds_the_plugin_by_its_entry_point() -> None:
    found = {one.name: one.value for one in entry_points(group="pytest11")}

    assert found["wattribute"] == "wattribute.pytest_plugin"


def test_the_plugin_imports_nothing_heavy_until_it_is_asked(tmp_path: Path) -> None:
    program = (
        "import sys; before = set(sys.modules); import wattribute.pytest_plugin; "
        "print(*sorted(set(sys.modules) - before))"
    )
    said = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=tmp_path
    )

    modules = set(said.stdout.split())
    assert {name for name in modules if name.startswith("wattribute")} == {
        "wattribute",
        "wattribute.pytest_plugin",
    }
    assert not modules & {"numpy", "msgspec", "pytest", "click", "httpx"}
