import csv
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Rows = list[dict[str, str]]


@pytest.fixture(scope="session")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """A bill that another project's generator makes (PyPI focus-data-toolkit); each made once."""
    pytest.importorskip("focus_data_toolkit")
    made: dict[tuple[str, str], Path] = {}

    def make(provider: str, version: str) -> Path:
        key = provider, version
        if key not in made:
            folder = tmp_path_factory.mktemp("generated")
            subprocess.run(
                [
                    *(sys.executable, "-m", "focus_data_toolkit", "generate"),
                    *("--provider", provider, "--focus-version", version),
                    *("--rows", "300", "--seed", "7", "--out", str(folder)),
                ],
                check=True,
                capture_output=True,
            )
            made[key] = next(folder.glob("*cost_and_usage*.csv"))
        return made[key]

    return make


@pytest.fixture
def rows(generated: Callable[..., Path]) -> Rows:
    """Rows of a valid bill of 1.3 with split charges."""
    with generated("aws", "1.3").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def written(tmp_path: Path) -> Callable[[Rows], Path]:
    """Rows as a CSV."""

    def write(rows: Rows) -> Path:
        path = tmp_path / "bill.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        return path

    return write
