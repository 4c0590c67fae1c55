"""``doctor`` on machines with and without GPUs."""

import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from wattribute_testing import FakeNvml
from wattribute_testing.kube import FakeApiServer, FakeCluster
from wattribute_testing.nvml import GPU_IS_LOST

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def nvml_row(call: Call, monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], tuple[str, str]]:
    """State and words of the row of nvml."""

    def ask(library: Path) -> tuple[str, str]:
        monkeypatch.setenv("WATTRIBUTE_METER__NVML_LIBRARY", str(library))
        _, out, _ = call("doctor", "--json", "--activity", "procfs")
        rows = [row for row in json.loads(out)["findings"] if row["name"] == "nvml"]
        return rows[0]["state"], rows[0]["message"]

    return ask


def test_devices_and_how_they_are_measured_are_said(
    nvml: FakeNvml, nvml_row: Callable[[Path], tuple[str, str]]
) -> None:
    nvml.gpu("GPU-a")
    nvml.gpu("GPU-b")
    nvml.gpu("GPU-c").error = GPU_IS_LOST
    nvml.write()

    state, message = nvml_row(nvml.library)

    assert state == "works"
    assert message.split("; ") == [
        "gpu-GPU-a, gpu-GPU-b",
        "2 x NVIDIA H100 80GB HBM3: energy counter, shared by time on its processors",
        "gpu 2: nvmlDeviceGetHandleByIndex: GPU is lost",
        "it is looked for again",
    ]


def test_without_the_library_it_is_absent(
    tmp_path: Path, nvml_row: Callable[[Path], tuple[str, str]]
) -> None:
    library = tmp_path / "libnvidia-ml.so.1"

    assert nvml_row(library) == ("absent", f"meter.nvml_library: {library}: there is no such file")


def test_in_a_cluster_it_says_whether_the_kubelet_tells_who_was_given_which_gpu(
    nvml: FakeNvml, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("grpc", reason="grpcio (wattribute[scaler]) is not installed")
    from wattribute_testing.pod_resources import FakePodResources

    nvml.gpu("GPU-a")
    nvml.write()
    server = FakeApiServer(FakeCluster()).start()
    (tmp_path / "token").write_text("secret")
    with tempfile.TemporaryDirectory(prefix="pr") as short:  # a socket's path is 107 bytes at most
        kubelet = FakePodResources(Path(short)).give("train", "main", "nvidia.com/gpu", ["GPU-a"])
        for key, value in {
            "METER__NVML_LIBRARY": nvml.library,
            "WORKLOAD__KUBE_URL": server.url,
            "WORKLOAD__KUBE_TOKEN_FILE": tmp_path / "token",
            "WORKLOAD__KUBE_CA_FILE": "",
            "WORKLOAD__NODE_NAME": "node-1",
            "WORKLOAD__POD_RESOURCES": kubelet.socket,
        }.items():
            monkeypatch.setenv(f"WATTRIBUTE_{key}", str(value))
        _, out, _ = call("doctor", "--json", "--activity", "procfs")
        kubelet.close()
        _, away, _ = call("doctor", "--json", "--activity", "procfs")
    server.stop()

    def row(output: str) -> tuple[str, str]:
        rows = [row for row in json.loads(output)["findings"] if row["name"] == "pod-resources"]
        return rows[0]["state"], rows[0]["message"]

    assert row(out) == ("works", "1 pods hold devices")
    assert row(away)[0] == "failed"
    assert str(kubelet.socket) in row(away)[1]
