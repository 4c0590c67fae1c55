import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from wattribute_testing.nvml import FakeNvml, build_library, compiler
from wattribute_testing.strength import FULL, examples

# No deadline: machines that test are busy.
settings.register_profile("quick", deadline=None, max_examples=examples(100))
settings.register_profile("full", deadline=None, max_examples=examples(100), print_blob=True)
settings.load_profile("full" if FULL else "quick")


def pytest_report_header() -> str | None:
    return None if FULL else "slow tests are left out: make test FULL=1 runs them"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave slow tests out, unless all strength or (by ``-m``) a choice of tests was asked for."""
    if FULL or config.option.markexpr:
        return
    slow = [item for item in items if item.get_closest_marker("slow")]
    config.hook.pytest_deselected(items=slow)
    items[:] = [item for item in items if not item.get_closest_marker("slow")]


@pytest.fixture(autouse=True)
def log_as_it_was() -> Iterator[None]:
    """What a command sets up for its log does not stay for the next test of this process."""
    logger = logging.getLogger("wattribute")
    before = logger.handlers[:], logger.level, logger.propagate
    yield
    logger.handlers[:], logger.level, logger.propagate = before


@pytest.fixture(scope="session")
def nvml_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The fake libnvidia-ml.so.1, compiled once."""
    if compiler() is None:
        pytest.skip("no C compiler (cc) to build the fake NVML library")
    pytest.importorskip("pynvml", reason="nvidia-ml-py is not installed")
    return build_library(tmp_path_factory.mktemp("nvml"))


@pytest.fixture
def nvml(nvml_library: Path, tmp_path: Path) -> FakeNvml:
    """A machine with NVIDIA GPUs; none yet."""
    return FakeNvml(tmp_path / "nvml", nvml_library)
