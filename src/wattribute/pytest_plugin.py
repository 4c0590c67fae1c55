"""The pytest plugin: its flags and its marker. Everything else is imported with ``--energy`` alone.

pytest loads this module in every run of every project that has the package installed, so it imports
nothing, not even pytest.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

_MARKER = (
    "energy(max_joules=None, max_regression=None, metric='energy_j', runs=None): with --energy, "
    "fail if the test surely uses more joules than max_joules, or surely more than max_regression "
    "(0.05 is 5 %) above its baseline; it is called `runs` times"
)


def pytest_addoption(parser: "pytest.Parser") -> None:
    """Add the flags of the plugin to pytest."""
    group = parser.getgroup("energy", "energy of tests (wattribute)")
    group.addoption(
        "--energy", action="store_true", help="Measure the energy of each test, and check limits."
    )
    group.addoption(
        "--energy-runs",
        type=int,
        default=7,
        metavar="N",
        help="Calls of a test with max_regression, after one to warm up (default: 7).",
    )
    group.addoption(
        "--energy-baseline",
        default=".energy-baseline.json",
        metavar="FILE",
        help="The baseline file (default: .energy-baseline.json).",
    )
    group.addoption(
        "--energy-update", action="store_true", help="Take this run as the baseline; check nothing."
    )
    group.addoption(
        "--energy-strict",
        action="store_true",
        help="Fail tests, too, that are too noisy to tell or have no comparable baseline.",
    )
    group.addoption(
        "--energy-top",
        type=int,
        default=10,
        metavar="N",
        help="Tests in the summary, those that use most; 0: all (default: 10).",
    )


def pytest_configure(config: "pytest.Config") -> None:
    """Register the marker; with --energy, what measures."""
    config.addinivalue_line("markers", _MARKER)
    if config.getoption("--energy"):
        _measure_tests(config)


def _measure_tests(config: "pytest.Config") -> None:
    import os  # noqa: PLC0415 - all of this only when asked for

    import pytest  # noqa: PLC0415

    from wattribute.automation.gate.pytest_energy import EnergyPlugin  # noqa: PLC0415
    from wattribute.core.errors import ConfigInvalid  # noqa: PLC0415
    from wattribute.settings import load  # noqa: PLC0415

    try:
        settings = load(None, os.environ, {}).node
    except ConfigInvalid as exc:
        raise pytest.UsageError(f"--energy: {exc}") from exc
    config.pluginmanager.register(EnergyPlugin(config, settings), "wattribute-energy")
