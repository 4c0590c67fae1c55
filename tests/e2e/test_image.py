"""The image that `make image` made, run as the chart and deploy/podman-run.sh run it."""

import json
import os
import platform
import re
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from wattribute_testing.waiting import wait_until

ROOT = Path(__file__).parents[2]
ARCH = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
MOST_BYTES = 120_000_000
BPF, PERFMON = 1 << 39, 1 << 38  # include/uapi/linux/capability.h
LIMITS = ("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024")  # never raised
SECRET = re.compile(rb"-----BEGIN|/work/|/root/")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.e2e,
    pytest.mark.root,
    pytest.mark.xdist_group("machine"),
    pytest.mark.skipif(os.geteuid() != 0, reason="starting containers here needs root"),
]


@pytest.fixture(scope="module")
def archive() -> Path:
    found = sorted((ROOT / "dist").glob(f"wattribute-*-{ARCH}.*.tar"))
    if not found:
        pytest.skip("no image in dist/: `make image` or `make image BASE=debian`")
    return found[-1]


@pytest.fixture(scope="module")
def sbom(archive: Path) -> dict[str, Any]:
    text = archive.with_suffix(".cdx.json").read_text(encoding="utf-8")
    return dict(json.loads(text))


@pytest.fixture(scope="module")
def podman(archive: Path) -> Iterator[Callable[..., subprocess.CompletedProcess[str]]]:
    if not shutil.which("podman") or not shutil.which("runc"):
        pytest.skip("no podman and runc; Debian packages podman and runc")
    with tempfile.TemporaryDirectory(prefix="wattr", ignore_cleanup_errors=True) as folder:
        words = [
            *("podman", "--root", f"{folder}/store", "--runroot", f"{folder}/run"),
            *("--cgroup-manager", "cgroupfs", "--runtime", "runc"),
        ]

        def call(*more: str) -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                [*words, *more], capture_output=True, text=True, timeout=110, check=False
            )

        loaded = call("load", "--quiet", "--input", str(archive))
        if loaded.returncode:
            pytest.skip(f"podman cannot load an image here: {loaded.stderr.strip()[-300:]}")
        name = loaded.stdout.strip().rpartition(" ")[2]
        yield lambda *more: call(*(name if word == "IMAGE" else word for word in more))
        call("rm", "--all", "--force", "--time", "0")
        call("rmi", "--all", "--force")


@pytest.fixture(scope="module")
def state() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="wattr") as folder:
        yield Path(folder)


@pytest.fixture(scope="module")
def agent(podman: Callable[..., Any], state: Path) -> tuple[str, str]:
    """A running container, and its page once it has the first numbers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    started = podman(
        *("run", "--detach", "--pid", "host", "--network", "host"),
        *("--cap-drop", "ALL", "--cap-add", "BPF", "--cap-add", "PERFMON"),
        *("--security-opt", "no-new-privileges"),
        *("--security-opt", f"seccomp={ROOT / 'deploy' / 'seccomp.json'}"),
        *("--read-only", "--read-only-tmpfs=false"),
        *LIMITS,
        *("--volume", "/sys:/host/sys:ro", "--volume", "/proc:/host/proc:ro"),
        *("--volume", f"{state}:/var/lib/wattribute", "IMAGE"),
        *("agent", "--sysfs", "/host/sys", "--procfs", "/host/proc", "--interval", "1"),
        *("--state", "/var/lib/wattribute/state.json", "--listen", f"127.0.0.1:{port}"),
    )
    if started.returncode:
        pytest.skip(f"podman cannot run containers here: {started.stderr.strip()[-300:]}")
    name = started.stdout.strip()

    def page() -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            return str(answer.read().decode())

    try:
        text = wait_until(page, despite=OSError)
    except AssertionError as exc:
        logs = podman("logs", name)
        raise AssertionError(f"{exc}\n{logs.stdout}{logs.stderr}") from None
    return name, text


def value(page: str, name: str) -> float:
    (found,) = re.findall(rf"^{name} (\S+)$", page, re.MULTILINE)
    return float(found)


def test_the_image_is_small(archive: Path) -> None:
    assert archive.stat().st_size < MOST_BYTES


def test_it_measures_with_two_capabilities_and_a_read_only_root(
    podman: Callable[..., Any], agent: tuple[str, str]
) -> None:
    name, page = agent

    status = podman("exec", name, "cat", "/proc/self/status").stdout
    caps = dict(line.split(":\t", 1) for line in status.splitlines() if line.startswith("Cap"))
    assert {int(text, 16) for kind, text in caps.items() if kind != "CapAmb"} <= {0, BPF | PERFMON}
    assert "NoNewPrivs:\t1" in status
    joules = re.findall(r"^wattribute_node_joules_total\S* (\S+)$", page, re.MULTILINE)
    assert sum(map(float, joules)) > 0
    assert value(page, "process_resident_memory_bytes") < 100 * 2**20


@pytest.mark.bpf
@pytest.mark.skipif(not Path("/sys/kernel/btf/vmlinux").exists(), reason="this kernel has no BTF")
def test_it_sees_who_ran_by_ebpf(agent: tuple[str, str]) -> None:
    _, page = agent

    assert re.search(r'^wattribute_activity_info{source="(tasks|cycles)"} 1$', page, re.MULTILINE)


def test_it_writes_its_state_and_nothing_else(
    podman: Callable[..., Any], agent: tuple[str, str], state: Path
) -> None:
    name, _ = agent

    assert [path.name for path in state.iterdir()] == ["state.json"]
    assert "Read-only file system" in podman("exec", name, "touch", "/tmp/x").stderr  # noqa: S108


def test_there_is_nothing_to_build_with(podman: Callable[..., Any], agent: tuple[str, str]) -> None:
    name, _ = agent

    for program in ("cc", "gcc", "ld", "make", "clang"):
        assert podman("exec", name, "sh", "-c", f"command -v {program}").returncode != 0
    bins = podman("exec", name, "ls", "/opt/wattribute/bin").stdout.split()
    assert {word for word in bins if not word.startswith("python")} == {"wattribute"}


def test_it_has_no_machine_id_of_its_own(
    podman: Callable[..., Any], agent: tuple[str, str]
) -> None:
    name, _ = agent

    assert podman("exec", name, "cat", "/etc/machine-id").stdout == ""


def test_the_image_says_what_it_is(podman: Callable[..., Any]) -> None:
    (about,) = json.loads(podman("image", "inspect", "IMAGE").stdout)
    version = podman("run", "--rm", "--network", "none", *LIMITS, "IMAGE", "--version")

    assert version.stdout.strip().endswith(about["Labels"]["org.opencontainers.image.version"])
    assert about["Config"]["Entrypoint"] == ["wattribute"]
    assert about["Config"]["Cmd"] == ["agent"]
    assert not SECRET.search(json.dumps(about["Config"]).encode())


def test_the_bill_of_materials_is_whole(sbom: dict[str, Any]) -> None:
    pinned = {
        line.split("==")[0]
        for name in ("agent", "gpu", "signed")
        for line in (ROOT / "requirements" / f"{name}.txt").read_text().splitlines()
        if "==" in line and not line.startswith(" ")
    }

    found = {part["name"]: part["purl"] for part in sbom["components"]}
    python = {name for name, url in found.items() if url.startswith("pkg:pypi/")}
    assert python == pinned
    assert any(url.startswith("pkg:deb/debian/libc6@") for url in found.values())
    assert sbom["metadata"]["component"]["name"] == "wattribute"


def test_the_bill_of_materials_is_cyclonedx(archive: Path) -> None:
    pytest.importorskip("cyclonedx", reason="`make chart-tools` fetches it")
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    text = archive.with_suffix(".cdx.json").read_text(encoding="utf-8")

    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None


def test_it_stops_cleanly_when_told(podman: Callable[..., Any], agent: tuple[str, str]) -> None:
    name, _ = agent

    started = time.monotonic()
    podman("stop", "--time", "10", name)

    assert time.monotonic() - started < 5
    (about,) = json.loads(podman("inspect", name).stdout)
    assert about["State"]["ExitCode"] == 0
