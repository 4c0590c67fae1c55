"""The chart as a Helm repository on a web server, for real helm."""

import functools
import http.server
import json
import shutil
import socket
import subprocess
import tarfile
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from tools.chart import CHART, package

from wattribute_testing.waiting import wait_until

MOST_BYTES = 600_000
"""Helm keeps a release in one Secret of 1 MiB: the compressed chart and manifests, as base64."""

Helm = Callable[..., subprocess.CompletedProcess[str]]


@contextmanager
def serving(handler: Callable[..., http.server.BaseHTTPRequestHandler]) -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


class Files(http.server.SimpleHTTPRequestHandler):
    """A folder."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name above
        """Nothing."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("repository")
    package.package(made, "registry.example.org/wattribute")
    package.write_index(made)
    return made


@pytest.fixture(scope="module")
def repository(folder: Path) -> Iterator[str]:
    with serving(functools.partial(Files, directory=str(folder))) as url:
        yield url


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[str]:
    """A real registry of images on loopback, where helm needs no TLS."""
    if not shutil.which("docker-registry"):
        pytest.skip("no docker-registry program; Debian package docker-registry")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    settings = {
        "version": 0.1,
        "log": {"level": "error"},
        "storage": {"filesystem": {"rootdirectory": str(tmp_path / "registry")}},
        "http": {"addr": address},
    }
    file = tmp_path / "registry.yml"
    file.write_text(json.dumps(settings))  # JSON is YAML
    with subprocess.Popen(["docker-registry", "serve", str(file)]) as server:
        try:
            _await(f"http://{address}/v2/")
            yield address
        finally:
            server.terminate()


def _await(url: str) -> None:
    wait_until(lambda: urllib.request.urlopen(url, timeout=5).status, despite=OSError)


# What helm asks a cluster for before a dry run: which kinds there are.
KINDS = {
    "v1": ["ConfigMap", "Namespace", "Secret", "Service", "ServiceAccount"],
    "apps/v1": ["DaemonSet"],
    "networking.k8s.io/v1": ["NetworkPolicy"],
    "rbac.authorization.k8s.io/v1": ["ClusterRole", "ClusterRoleBinding"],
    "monitoring.coreos.com/v1": ["PodMonitor", "PrometheusRule", "ServiceMonitor"],
}
PLURALS = {"NetworkPolicy": "networkpolicies"}


def discovery(path: str) -> dict[str, Any] | None:
    groups = [name for name in KINDS if "/" in name]
    if path == "/version":
        return {"major": "1", "minor": "34", "gitVersion": "v1.34.0"}
    if path == "/api":
        return {"kind": "APIVersions", "versions": ["v1"]}
    if path == "/apis":
        listed = [
            {
                "name": name.split("/")[0],
                "versions": [{"groupVersion": name, "version": "v1"}],
                "preferredVersion": {"groupVersion": name, "version": "v1"},
            }
            for name in groups
        ]
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": listed}
    version = path.removeprefix("/apis/").removeprefix("/api/")
    if version not in KINDS:
        return None
    resources = [
        {
            "name": PLURALS.get(kind, f"{kind.lower()}s"),
            "kind": kind,
            "namespaced": kind not in ("Namespace", "ClusterRole", "ClusterRoleBinding"),
            "verbs": ["get", "create"],
        }
        for kind in KINDS[version]
    ]
    body = {"kind": "APIResourceList", "groupVersion": version, "resources": resources}
    return {**body, "apiVersion": "v1"}


class EmptyCluster(http.server.BaseHTTPRequestHandler):
    """An API server that knows the kinds, and has no object."""

    def do_GET(self) -> None:
        body = discovery(self.path.split("?")[0])
        status = {"kind": "Status", "apiVersion": "v1", "reason": "NotFound", "code": 404}
        self.send_response(404 if body is None else 200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(status if body is None else body).encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name above
        """Nothing."""


@pytest.fixture
def empty_cluster(tmp_path: Path) -> Iterator[Path]:
    with serving(EmptyCluster) as url:
        file = tmp_path / "kubeconfig"
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "c", "cluster": {"server": url}}],
            "users": [{"name": "u", "user": {}}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "x",
        }
        file.write_text(json.dumps(config))
        yield file


def test_the_three_commands_of_the_readme_work_to_the_last_step(
    helm: Helm, repository: str, empty_cluster: Path, tmp_path: Path
) -> None:
    def run(*words: str) -> str:
        done = helm(*words, "--kubeconfig", str(empty_cluster), home=tmp_path)
        assert done.returncode == 0, done.stderr
        return done.stdout

    run("repo", "add", "wattribute", repository)
    found = json.loads(run("search", "repo", "wattribute", "--output", "json"))
    out = run(
        *("install", "wattribute", "wattribute/wattribute", "--namespace", "wattribute-system"),
        *("--create-namespace", "--set", "serviceMonitor.enabled=true"),
        *("--dry-run", "--disable-openapi-validation"),
    )

    assert [(chart["name"], chart["version"]) for chart in found] == [
        ("wattribute/wattribute", package.version())
    ]
    assert f"registry.example.org/wattribute:{package.version()}" in out
    assert "kind: ServiceMonitor" in out
    assert "kubectl get pods -n wattribute-system" in out


def test_the_chart_installs_from_a_registry_too(
    helm: Helm, folder: Path, registry: str, empty_cluster: Path, tmp_path: Path
) -> None:
    chart = f"oci://{registry}/charts/wattribute"
    pushed = helm(
        "push",
        str(folder / f"wattribute-{package.version()}.tgz"),
        f"oci://{registry}/charts",
        home=tmp_path,
    )
    assert pushed.returncode == 0, pushed.stderr

    done = helm(
        *("install", "wattribute", chart, "--version", package.version()),
        *("--dry-run", "--disable-openapi-validation", "--kubeconfig", str(empty_cluster)),
        home=tmp_path,
    )

    assert done.returncode == 0, done.stderr
    assert f"registry.example.org/wattribute:{package.version()}" in done.stdout


def test_helm_4_installs_from_the_repository(helm4: Callable[..., Any], repository: str) -> None:
    manifest = helm4(
        'answer = helm.Config(namespace="energy").install("wattribute", "watts", {}, '
        'chart_repo_url=given["url"], dry_run="client")["manifest"]',
        {"url": repository},
    )

    kinds = {document["kind"] for document in yaml.safe_load_all(manifest) if document}
    assert {"DaemonSet", "Service", "ConfigMap", "ClusterRole"} <= kinds


def test_the_archive_is_the_chart(folder: Path) -> None:
    with tarfile.open(folder / f"wattribute-{package.version()}.tgz") as tar:
        names = {member.name.removeprefix("wattribute/") for member in tar.getmembers()}

    ours = {str(path.relative_to(CHART)) for path in CHART.rglob("*") if path.is_file()}
    assert names == ours


def test_the_same_chart_gives_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    again = package.package(tmp_path, "registry.example.org/wattribute")

    assert again.read_bytes() == (folder / again.name).read_bytes()


def test_the_archive_fits_into_a_release(folder: Path) -> None:
    assert (folder / f"wattribute-{package.version()}.tgz").stat().st_size < MOST_BYTES


def test_the_index_lists_the_newest_first(tmp_path: Path) -> None:
    for version in ("0.9.0", "0.10.0"):
        source = package.package(tmp_path)
        with tarfile.open(source) as tar:
            member = tar.extractfile("wattribute/Chart.yaml")
            assert member is not None
            chart = yaml.safe_load(member.read())
        chart["version"] = version
        text = yaml.safe_dump(chart).encode()
        archive = package.archive({"Chart.yaml": text})
        (tmp_path / f"wattribute-{version}.tgz").write_bytes(archive)

    index = yaml.safe_load(package.write_index(tmp_path).read_text(encoding="utf-8"))

    versions = [entry["version"] for entry in index["entries"]["wattribute"]]
    assert versions[:2] == ["0.10.0", "0.9.0"]


def test_a_strange_repository_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="not a name of an image"):
        package.package(tmp_path, "x\nprivileged: true")
