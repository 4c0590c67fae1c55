"""Who was given which device, asked of a real gRPC server on a Unix socket."""

import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattribute.core.records import DeviceAllocation
from wattribute.node.workload.kube.pod_resources import PodResources, allocations
from wattribute.node.workload.kube.protobuf import fields

pytest.importorskip("grpc", reason="grpcio (wattribute[scaler]) is not installed")
import grpc

from wattribute_testing.pod_resources import FakePodResources
from wattribute_testing.waiting import wait_until


@pytest.fixture
def folder() -> Iterator[Path]:
    """Short: a Unix socket's path has 107 bytes at most."""
    with tempfile.TemporaryDirectory(prefix="pr") as name:
        yield Path(name)


@pytest.fixture
def kubelet(folder: Path) -> Iterator[FakePodResources]:
    fake = FakePodResources(folder)
    yield fake
    fake.close()


def asked(socket_file: Path) -> PodResources:
    source = PodResources(socket_file)
    source.wait(10)
    source.close()
    return source


def test_devices_of_plugins_and_of_claims_are_told_with_their_containers(
    kubelet: FakePodResources,
) -> None:
    kubelet.give("train-0", "main", "nvidia.com/gpu", ["GPU-a", "GPU-b"])
    kubelet.give("train-0", "side", "rdma/hca", ["0"])
    kubelet.claim("infer", "server", "gpu.nvidia.com", "gpu-2", namespace="prod")
    source = asked(kubelet.socket)

    assert source.current() == (
        DeviceAllocation("ml", "train-0", "main", "nvidia.com/gpu", "GPU-a"),
        DeviceAllocation("ml", "train-0", "main", "nvidia.com/gpu", "GPU-b"),
        DeviceAllocation("ml", "train-0", "side", "rdma/hca", "0"),
        DeviceAllocation("prod", "infer", "server", "gpu.nvidia.com", "gpu-2"),
    )
    health = source.health()
    assert (health.up, health.pods, health.failures, health.message) == (True, 2, 0, "")


def test_an_answer_of_a_thousand_pods_passes_flow_control(kubelet: FakePodResources) -> None:
    for number in range(1000):
        kubelet.give(f"pod-{number}", "c" * 60, "nvidia.com/gpu", [f"GPU-{'x' * 200}-{number}"])
    assert len(asked(kubelet.socket).current()) == 1000


def test_a_server_that_refuses_is_said_with_its_reason(kubelet: FakePodResources) -> None:
    kubelet.refusal = (grpc.StatusCode.RESOURCE_EXHAUSTED, "too many requests: 100 %")
    health = asked(kubelet.socket).health()

    assert not health.up
    assert "gRPC status 8: too many requests: 100 %" in health.message


def test_a_socket_that_is_not_there_says_what_to_mount(folder: Path) -> None:
    source = asked(folder / "none.sock")
    assert "mount the kubelet's folder" in source.health().message
    assert source.current() == ()


def test_a_server_that_speaks_something_else_or_nothing_costs_its_answer_alone(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wattribute.node.workload.kube.pod_resources._TIMEOUT_S", 0.5)
    for number, said in enumerate((b"HTTP/1.1 400 Bad Request\r\n\r\n", b"", None)):
        path = folder / f"{number}.sock"
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
        listener.listen()

        def serve(listener: socket.socket = listener, said: bytes | None = said) -> None:
            peer, _ = listener.accept()
            if said is not None:
                peer.sendall(said)
                peer.close()
                return
            peer.recv(1 << 16)  # the question
            while peer.recv(1 << 16):  # until the client gives up
                pass
            peer.close()

        thread = threading.Thread(target=serve)
        thread.start()
        health = asked(path).health()
        thread.join()
        listener.close()
        assert not health.up
        assert str(path) in health.message, health
        assert (said is None) == ("no answer in 0.5 s" in health.message)


def test_what_was_known_stays_while_the_kubelet_is_away(
    kubelet: FakePodResources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wattribute.node.workload.kube.pod_resources._EVERY_S", 0.01)
    kubelet.give("train-0", "main", "nvidia.com/gpu", ["GPU-a"])
    source = PodResources(kubelet.socket)
    source.wait(10)
    kubelet.refusal = (grpc.StatusCode.UNAVAILABLE, "restarting")
    wait_until(lambda: not source.health().up)
    source.close()

    assert source.health().failures == 1
    assert [one.device for one in source.current()] == ["GPU-a"]


@given(st.binary(max_size=60))
def test_bytes_that_are_no_message_are_a_value_error_and_nothing_else(message: bytes) -> None:
    try:
        assert all(number >= 0 for number, _ in fields(message))
        allocations(message)
    except ValueError:
        pass
