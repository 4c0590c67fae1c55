import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from wattribute_testing.nvml import FakeNvml, build_library, compiler


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
