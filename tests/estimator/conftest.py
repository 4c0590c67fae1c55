import pytest

from wattribute.estimator.artefact import Artefact
from wattribute.meter.power_model import read_artefact


@pytest.fixture(scope="session")
def artefact() -> Artefact:
    """The shipped one."""
    return read_artefact()
