import pytest

from wattribute.node.estimator.artefact import Artefact
from wattribute.node.meter.power_model import read_artefact


@pytest.fixture(scope="session")
def artefact() -> Artefact:
    """The shipped one."""
    return read_artefact()
