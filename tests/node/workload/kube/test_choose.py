"""Which source is used."""

from pathlib import Path

import msgspec
import pytest

from wattribute.core.errors import ConfigInvalid
from wattribute.node.settings import WorkloadSettings
from wattribute.node.workload.kube.choose import open_cluster, wanted_source

IN_CLUSTER = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT_HTTPS": "1"}


@pytest.fixture
def inside(tmp_path: Path) -> WorkloadSettings:
    """Settings of a pod."""
    (tmp_path / "token").write_text("t")
    return WorkloadSettings(
        node_name="node-1", kube_token_file=str(tmp_path / "token"), kube_ca_file=""
    )


def test_auto_is_the_api_server_in_a_cluster_and_off_elsewhere(inside: WorkloadSettings) -> None:
    assert wanted_source(inside, IN_CLUSTER) == "apiserver"
    assert wanted_source(inside, {}) == "off"
    without = msgspec.structs.replace(inside, kube_token_file=f"{inside.kube_token_file}.none")
    assert wanted_source(without, IN_CLUSTER) == "off"
    assert wanted_source(WorkloadSettings(kube_url="https://x"), {}) == "apiserver"


def test_off_is_off_everywhere(inside: WorkloadSettings) -> None:
    assert open_cluster(msgspec.structs.replace(inside, kube="off"), IN_CLUSTER) is None


def test_the_api_server_is_where_kubernetes_says(inside: WorkloadSettings) -> None:
    for host, url in (("10.0.0.1", "https://10.0.0.1:1"), ("fd00::1", "https://[fd00::1]:1")):
        source = open_cluster(inside, IN_CLUSTER | {"KUBERNETES_SERVICE_HOST": host})
        assert source is not None
        source.close()
        assert source.url == url


def test_the_kubelet_is_at_the_nodes_address(inside: WorkloadSettings) -> None:
    settings = msgspec.structs.replace(inside, kube="kubelet", node_ip="fd00::2")
    source = open_cluster(settings, {})
    assert source is not None
    source.close()

    assert source.url == "https://[fd00::2]:10250"
    assert source.name == "kubelet"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"kube": "apiserver"}, "set workload.kube_url"),
        ({"kube": "kubelet"}, "workload.node_ip"),
        ({"kube": "apiserver", "kube_url": "nonsense"}, "is not an address"),
        ({"kube": "kubelet", "kubelet_url": "https://"}, "workload.kubelet_url"),
        ({"kube_url": "https://x", "node_name": ""}, "WATTRIBUTE_WORKLOAD__NODE_NAME"),
    ],
)
def test_what_is_missing_is_said_with_the_fix(
    inside: WorkloadSettings, given: dict[str, str], words: str
) -> None:
    with pytest.raises(ConfigInvalid, match=words):
        open_cluster(msgspec.structs.replace(inside, **given), {})
