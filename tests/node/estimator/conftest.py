import pytest

from wattribute.node.estimates.power_model import read_artefact
from wattribute.node.estimator.artefact import Artefact


@pytest.fixture(scope="session")
def artefact() -> Artefact:
    """The shipped one."""
    return read_artefact()
