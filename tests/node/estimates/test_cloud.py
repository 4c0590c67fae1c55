"""Metadata services of clouds: asked for one second, and only when told to."""

import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from wattribute.core.records import Machine
from wattribute.node.estimates.cloud import ask_instance_type
from wattribute.node.estimates.power_model import open_estimator
from wattribute.node.settings import EstimatorSettings, NodeSettings

AWS = {
    ("PUT", "/latest/api/token"): "secret",
    ("GET", "/latest/meta-data/instance-type"): "m5.large",
}
GCP = {
    ("GET", "/computeMetadata/v1/instance/machine-type"): "projects/1/machineTypes/n2-standard-4"
}
AZURE = {
    ("GET", "/metadata/instance/compute/vmSize?api-version=2021-02-01&format=text"): (
        "Standard_D4s_v3"
    )
}


class Cloud:
    """A metadata service with the answers of one cloud."""

    def __init__(self) -> None:
        self.answers: dict[tuple[str, str], str] = {}
        self.asked: list[tuple[str, str]] = []
        cloud = self

        class Handler(BaseHTTPRequestHandler):
            def _answer(self) -> None:
                cloud.asked.append((self.command, self.path))
                text = cloud.answers.get((self.command, self.path))
                self.send_response(404 if text is None else 200)
                self.end_headers()
                self.wfile.write((text or "").encode())

            do_GET = do_PUT = _answer  # noqa: N815 - http.server's names

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    made = Cloud()
    yield made
    made.close()


@pytest.mark.parametrize(
    ("answers", "told"),
    [(AWS, "m5.large"), (GCP, "n2-standard-4"), (AZURE, "Standard_D4s_v3"), ({}, "")],
)
def test_each_cloud_is_asked_in_its_own_way(
    answers: dict[tuple[str, str], str], told: str, cloud: Cloud
) -> None:
    cloud.answers = answers

    assert ask_instance_type(cloud.address) == told


def test_an_odd_answer_is_none(cloud: Cloud) -> None:
    cloud.answers = {("GET", "/computeMetadata/v1/instance/machine-type"): "n2\x1b[31m"}

    assert ask_instance_type(cloud.address) == ""


def test_a_service_that_hangs_is_given_up_after_its_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:  # takes connections, says nothing
        began = time.monotonic()

        assert ask_instance_type(f"127.0.0.1:{server.getsockname()[1]}", limit_s=0.3) == ""

        assert time.monotonic() - began < 1.0


def test_nobody_listens() -> None:
    assert ask_instance_type("127.0.0.1:1") == ""


@pytest.mark.parametrize(
    ("room", "hypervisor", "asked"),
    [
        (EstimatorSettings(), "kvm", False),
        (EstimatorSettings(cloud_metadata=True), "kvm", True),
        (EstimatorSettings(cloud_metadata=True), "", False),
        (EstimatorSettings(cloud_metadata=True, instance_type="m5.large"), "kvm", False),
    ],
)
def test_it_is_asked_only_where_it_is_allowed_and_needed(
    room: EstimatorSettings, hypervisor: str, *, asked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    monkeypatch.setattr(
        "wattribute.node.estimates.cloud.ask_instance_type", lambda: calls.append(1) or ""
    )

    open_estimator(NodeSettings(estimator=room), Machine(hypervisor=hypervisor, stepping=77))

    assert bool(calls) is asked
