import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SLOW = "test_it_measures_every_case_and_writes_the_page_and_what_the_driver_said"


def collected(*arguments: str, tests: str = "") -> str:
    """Give what pytest would run of one folder that has a slow test."""
    environ = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST")}
    return subprocess.run(
        (sys.executable, "-m", "pytest", "--collect-only", "-q", "tests/gpu", *arguments),
        cwd=ROOT, env=environ | {"WATTRIBUTE_TESTS": tests}, capture_output=True, text=True,
        check=True,
    ).stdout  # fmt: skip


@pytest.mark.parametrize(("arguments", "tests"), [((), "full"), (("-m", "slow"), "")])
def test_slow_tests_run_in_ci_or_when_they_are_asked_for(
    arguments: tuple[str, ...], tests: str
) -> None:
    assert SLOW in collected(*arguments, tests=tests)


def test_a_run_without_them_says_how_to_run_them() -> None:
    output = collected("-v")

    assert SLOW not in output
    assert "make test FULL=1" in output
    assert "deselected" in output


def test_ci_asks_for_all_strength() -> None:
    lines = (ROOT / ".ci" / "run").read_text().splitlines()

    export = next(i for i, line in enumerate(lines) if "export WATTRIBUTE_TESTS=full" in line)
    assert export < next(
        i for i, line in enumerate(lines) if "make --no-print-directory test" in line
    )
