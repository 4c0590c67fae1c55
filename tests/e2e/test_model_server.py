"""The agent and a real model server: the pinned model is used, and kept without the server."""

import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from hashlib import sha256
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from wattribute_testing.waiting import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("machine")]

SHIPPED = resources.files("wattribute.node.estimator").joinpath("power-model.json").read_bytes()
OWN = SHIPPED.replace(b'"model":"wattribute-power"', b'"model":"own-power"')


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    """The URL of a server with one model of our own."""
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "own.json").write_bytes(OWN)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    words = ("model", "serve", "--listen", address, "--models", str(tmp_path / "models"))
    process = subprocess.Popen([sys.executable, "-m", "wattribute", *words])
    try:
        ready = f"http://{address}/readyz"
        wait_until(lambda: urllib.request.urlopen(ready, timeout=5).status, despite=OSError)
        yield f"http://{address}"
    finally:
        process.terminate()
        assert process.wait(10) == 0


def info(text: str) -> str:
    return next(line for line in text.splitlines() if line.startswith("wattribute_estimator_info{"))


def test_the_agent_takes_the_pinned_model_and_keeps_it_without_the_server(
    served: str, start_agent: Callable[..., Any], tmp_path: Path
) -> None:
    config = tmp_path / "settings.yaml"
    flags = ("--config", str(config), "--meters", "estimate", "--state", str(tmp_path / "state"))

    config.write_text(f"estimator: {{model_server: {served}, sha256: {sha256(OWN).hexdigest()}}}\n")
    first = start_agent(*flags)
    first.wait(lambda text: 'model="own-power"' in text)
    first.stop()
    assert (tmp_path / "power-model.json").read_bytes() == OWN

    gone = "http://127.0.0.1:1"
    config.write_text(f"estimator: {{model_server: {gone}, sha256: {sha256(OWN).hexdigest()}}}\n")
    text = start_agent(*flags).wait(lambda text: "wattribute_estimator_info{" in text)
    assert 'model="own-power"' in info(text)

    config.write_text(f"estimator: {{model_server: {gone}, sha256: {'ab' * 32}}}\n")
    text = start_agent(*flags).wait(lambda text: "wattribute_estimator_info{" in text)
    assert 'model="wattribute-power"' in info(text)
