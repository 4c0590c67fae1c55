"""Joules of real containers, made by the engines of this machine from an image of our own."""

import hashlib
import io
import json
import os
import platform
import secrets
import shutil
import subprocess
import tarfile
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from wattribute_testing.kube import FakeApiServer, FakeCluster, FakeKubelet, pod
from wattribute_testing.waiting import wait_until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.e2e,
    pytest.mark.root,
    pytest.mark.xdist_group("machine"),
    pytest.mark.skipif(os.geteuid() != 0, reason="starting containers here needs root"),
]

IMAGE = "docker.io/library/burner:1"
BURN = ["/bin/sh", "-c", "while :; do :; done"]
BUSYBOX = Path("/bin/busybox")
ARCH = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())


def archive(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o755
            tar.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """An image archive with one static shell: no registry is asked."""
    if not BUSYBOX.exists():
        pytest.skip(f"no {BUSYBOX}; Debian package busybox-static")
    layer = archive({"bin/sh": BUSYBOX.read_bytes()})
    digest = hashlib.sha256(layer).hexdigest()
    config = json.dumps(
        {
            "architecture": ARCH,
            "os": "linux",
            "config": {"Cmd": BURN},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
        }
    ).encode()
    manifest = [{"Config": "config.json", "RepoTags": [IMAGE], "Layers": ["layer.tar"]}]
    file = tmp_path / "image.tar"
    file.write_bytes(
        archive(
            {
                "layer.tar": layer,
                "config.json": config,
                "manifest.json": json.dumps(manifest).encode(),
            }
        )
    )
    return file


def need(*programs: str) -> None:
    for program in programs:
        if not shutil.which(program):
            pytest.skip(f"no {program} program; Debian package {program}")


def can(*command: str) -> str:
    """Output of a command that sets up a container; skips where this machine does not let it."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        pytest.skip(f"{command[0]} cannot run containers here: {done.stderr.strip()[-300:]}")
    return done.stdout.strip()


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A folder for sockets: podman's may have 50 characters, any has at most 107."""
    with tempfile.TemporaryDirectory(prefix="wattr", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.fixture
def podman_container(image: Path, tmp_path: Path, short_path: Path) -> Iterator[str]:
    need("podman", "runc")
    podman = [
        *("podman", "--root", str(tmp_path / "store"), "--runroot", str(short_path)),
        *("--storage-driver", "vfs", "--cgroup-manager", "cgroupfs", "--runtime", "runc"),
    ]
    limits = ("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024")  # never raised
    can(*podman, "load", "--quiet", "--input", str(image))
    container = can(*podman, "run", "--detach", "--network", "none", *limits, IMAGE)
    yield container
    subprocess.run([*podman, "rm", "--force", "--time", "0", container], check=True)
    subprocess.run([*podman, "rmi", "--force", IMAGE], check=True)


@pytest.fixture
def containerd_container(containerd_pod: tuple[str, str]) -> str:
    return containerd_pod[1]


@pytest.fixture
def containerd_pod(image: Path, tmp_path: Path, short_path: Path) -> Iterator[tuple[str, str]]:
    """As a kubelet places it: a container id of 64 digits in the cgroup of a pod; uid and id."""
    need("containerd", "ctr", "runc")
    address = short_path / "containerd.sock"
    config = tmp_path / "containerd.toml"
    config.write_text('version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n')
    daemon = subprocess.Popen(
        [
            *("containerd", "--config", str(config), "--address", str(address)),
            *("--root", str(tmp_path / "store"), "--state", str(tmp_path / "state")),
            *("--log-level", "error"),
        ]
    )
    container = secrets.token_hex(32)
    uid = str(uuid.uuid4())
    # In a folder of our own: a kubelet that runs here removes pods that it does not know.
    above = f"wattribute-test-{uid}"
    folder_of_pod = f"{above}/kubepods/burstable/pod{uid}"
    ctr = ["ctr", "--address", str(address)]
    try:
        wait_until(address.exists)
        can(*ctr, "image", "import", "--snapshotter", "native", str(image))
        flags = ("--detach", "--snapshotter", "native", "--cgroup", f"/{folder_of_pod}/{container}")
        can(*ctr, "run", *flags, IMAGE, container, *BURN)
        yield uid, container
        subprocess.run([*ctr, "task", "rm", "--force", container], check=True)
        subprocess.run([*ctr, "container", "rm", container], check=True)
    finally:
        daemon.terminate()
        daemon.wait(timeout=20)
        for root in Path("/sys/fs/cgroup").glob(f"**/{above}"):  # as a kubelet would
            for folder in sorted(root.glob("**/"), reverse=True):
                folder.rmdir()


@pytest.mark.parametrize("engine", ["podman", "containerd"])
def test_a_real_container_gets_joules_under_its_own_id(
    engine: str, request: pytest.FixtureRequest, start_agent: Callable[..., Any], counter: Any
) -> None:
    container = request.getfixturevalue(f"{engine}_container")
    counter.run(watts=50)

    agent = start_agent("--interval", "0.5", "--sysfs", str(counter.sysfs))

    agent.wait(lambda text: joules_of(text, container) > 1)


@pytest.mark.parametrize("source", ["kubelet", "apiserver"])
def test_a_real_container_has_the_name_that_kubernetes_tells(
    containerd_pod: tuple[str, str],
    start_agent: Callable[..., Any],
    counter: Any,
    tmp_path: Path,
    source: str,
) -> None:
    uid, container = containerd_pod
    cluster = FakeCluster()
    cluster.put_pod(pod("burner", "lab", pod_uid=uid, containers={"app": container}))
    settings = tmp_path / "settings.yaml"
    counter.run(watts=50)
    words = f'container_id="{container}",pod_name="burner",container_name="app"'
    server = {"kubelet": FakeKubelet, "apiserver": FakeApiServer}[source](cluster)
    key = {"kubelet": "kubelet_url", "apiserver": "kube_url"}[source]

    with server:
        keys = {"kube": source, key: server.url, "node_name": "node-1"}
        settings.write_text(json.dumps({"workload": keys}))  # JSON is YAML
        agent = start_agent(
            *("--interval", "0.5", "--sysfs", str(counter.sysfs)),
            *("--config", str(settings), "--kube", source),
        )
        agent.wait(lambda text: joules_of(text, words) > 1)


def joules_of(text: str, container: str) -> float:
    return sum(
        float(line.rsplit(" ", 1)[1])
        for line in text.splitlines()
        if line.startswith("kepler_container_joules_total{") and container in line
    )
