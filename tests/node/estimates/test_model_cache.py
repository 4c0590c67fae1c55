"""What makes a model believed: a digest, or a signature that a package of its own checks."""

import os
import subprocess
import sys

import pytest

from wattribute.core.errors import ConfigInvalid
from wattribute.node.estimates.model_cache import ModelPin
from wattribute.node.settings import EstimatorSettings

KEY = "A" * 43 + "="


def test_without_the_package_a_key_is_refused_with_what_would_help(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(sys.modules, "wattribute.node.estimates.model_signature", raising=False)
    monkeypatch.setitem(sys.modules, "cryptography.exceptions", None)

    with pytest.raises(ConfigInvalid, match=r"public_key: .*pip install 'wattribute\[signed\]'"):
        ModelPin(EstimatorSettings(public_key=KEY))
    ModelPin(EstimatorSettings(sha256="ab" * 32))


@pytest.mark.parametrize(("pin", "loaded"), [('sha256="ab" * 32', False), ("public_key=K", True)])
def test_the_package_is_loaded_for_a_key_alone(pin: str, *, loaded: bool) -> None:
    program = (
        "import sys; from wattribute.node.estimates.model_cache import ModelPin\n"
        "from wattribute.node.settings import EstimatorSettings\n"
        f"K = '{KEY}'; ModelPin(EstimatorSettings({pin})); print('cryptography' in sys.modules)"
    )
    finished = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        check=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )

    assert finished.stdout == f"{loaded}\n"
