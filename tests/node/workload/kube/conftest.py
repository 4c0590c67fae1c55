"""A cluster, its servers and sources that are closed in the end."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from wattribute.node.workload.kube.apiserver import ApiServer
from wattribute.node.workload.kube.endpoint import Endpoint
from wattribute.node.workload.kube.kubelet import Kubelet
from wattribute.node.workload.kube.node import NodeWatch
from wattribute.node.workload.kube.pauses import Pauses
from wattribute_testing.kube import Authority, FakeApiServer, FakeCluster, FakeKubelet, FakeServer

NODE = "node-1"


def short_pauses() -> Pauses:
    """Hundredths of a second between tries instead of seconds; how they grow has its own test."""
    return Pauses(first_s=0.01, longest_s=0.05, spread_s=0.05)


class Rig:
    """Servers and sources of one test."""

    def __init__(self, folder: Path) -> None:
        self.cluster = FakeCluster()
        self.folder = folder
        self.token_file = folder / "token"
        self.ca_file: Path | str = ""
        self.servers: list[FakeServer] = []
        self.sources: list[ApiServer | Kubelet] = []

    def api(self, **given: Any) -> FakeApiServer:
        server = FakeApiServer(self.cluster, **given).start()
        self.servers.append(server)
        return server

    def kubelet(self, **given: Any) -> FakeKubelet:
        server = FakeKubelet(self.cluster, NODE, **given).start()
        self.servers.append(server)
        return server

    def authority(self) -> Authority:
        if not shutil.which("openssl"):
            pytest.skip("no openssl program; Debian package openssl")
        authority = Authority(self.folder / "ca")
        self.ca_file = authority.certificate
        return authority

    def endpoint(self, url: str, setting: str = "workload.kube_url") -> Endpoint:
        return Endpoint(url, str(self.token_file), str(self.ca_file), setting)

    def watch(
        self, url: str, node: str = NODE, watch_s: float = 450.0, pauses: Pauses | None = None
    ) -> ApiServer:
        endpoint = self.endpoint(url)
        watched = NodeWatch(endpoint, node, shared=True)
        source = ApiServer(
            endpoint, watched, node, watch_s=watch_s, pauses=pauses or short_pauses()
        )
        return self._started(source)

    def poll(self, url: str, api: str = "", least_s: float = 0.05, every_s: float = 60) -> Kubelet:
        node = NodeWatch(self.endpoint(api) if api else None, NODE, shared=False)
        source = Kubelet(
            self.endpoint(url), node, least_s=least_s, every_s=every_s, pauses=short_pauses()
        )
        return self._started(source)

    def _started(self, source: Any) -> Any:
        self.sources.append(source)
        source.start()
        return source

    def close(self) -> None:
        for source in self.sources:
            source.close()
        for server in self.servers:
            server.stop()


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    made = Rig(tmp_path)
    yield made
    made.close()
