"""Names of pods at /metrics: the real agent, a fake API server or kubelet, a kubelet's cgroups."""

import os
import shutil
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Self

import pytest
import yaml

from wattribute_testing import FakeCgroupfs, FakeProcfs, FakeSysfs
from wattribute_testing.kube import (
    Authority,
    FakeApiServer,
    FakeCluster,
    FakeKubelet,
    container_id,
    node,
    pod,
)
from wattribute_testing.plant.cgroups import CgroupUnavailable, GroupCgroup

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("machine")]

FILES = {"kube_ca_file": "ca.crt", "kube_token_file": "token"}
UID = str(uuid.uuid4())
APP, PAUSE = container_id(f"{UID}/app"), container_id(f"{UID}/pause")
POD_CGROUP = f"/kubepods/burstable/pod{UID}"
WEB = pod(
    "web-7d9c5b8f6c-x2x7k",
    "shop",
    pod_uid=UID,
    containers={"app": APP},
    requests={"cpu": "250m", "memory": "64Mi"},
    labels={"app": "web", "pod-template-hash": "7d9c5b8f6c", "other": "not allowed"},
    owner=("ReplicaSet", "web-7d9c5b8f6c"),
)
NODE = node(
    "node-1",
    provider_id="aws:///eu-west-1a/i-0123",
    labels={
        "node.kubernetes.io/instance-type": "m7i.large",
        "topology.kubernetes.io/region": "eu-west-1",
    },
    capacity={"cpu": "4", "memory": "16Gi", "nvidia.com/gpu": "2"},
)


class Machine:
    """A folder with one pod in it, whose container keeps a CPU half busy."""

    def __init__(self, root: Path) -> None:
        self.sysfs = FakeSysfs(root / "sys").rapl("intel-rapl:0", "package-0")
        self.procfs = FakeProcfs(root / "proc", cpus=2)
        self.cgroupfs = FakeCgroupfs(root / "cgroup", "v2")
        for pid, name, comm in ((100, APP, b"app"), (90, PAUSE, b"pause")):
            path = f"{POD_CGROUP}/{name}"
            self.cgroupfs.add(path).join(path, pid)
            self.procfs.start(pid, comm, cgroup=f"0::{path}")
            (self.procfs.root / str(pid) / "comm").write_bytes(comm + b"\n")
        self._stop = threading.Event()
        self._energy_uj = 1_000_000_000
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        """50 W, and half a CPU; a tick of /proc/stat is 10 ms."""
        while not self._stop.wait(0.05):
            self._energy_uj += 2_500_000
            self.sysfs.energy("intel-rapl:0", self._energy_uj)
            self.cgroupfs.use(f"{POD_CGROUP}/{APP}", 25_000_000)
            self.procfs.run(100, 2)
            self.procfs.run_cpu(0, user=2, idle=3).run_cpu(1, idle=5)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    @property
    def flags(self) -> list[str]:
        return [
            *("--sysfs", str(self.sysfs.root), "--procfs", str(self.procfs.root)),
            *("--cgroupfs", str(self.cgroupfs.root), "--activity", "cgroup"),
        ]


def settings(tmp_path: Path, **workload: Any) -> list[str]:
    """Flags of an agent that asks as these keys say, and holds births for 2 s."""
    file = tmp_path / "settings.yaml"
    keys = {"node_name": "node-1", "cluster": "test", "kube_ca_file": "", **workload}
    file.write_text(yaml.safe_dump({"workload": keys, "monitor": {"birth_hold": 2}}))
    return ["--config", str(file), "--kube", workload.get("kube", "apiserver"), "--interval", "0.5"]


def lines(text: str, family: str, *words: str) -> list[str]:
    return [
        line
        for line in text.splitlines()
        if line.startswith(f"{family}{{") and all(word in line for word in words)
    ]


def value(line: str) -> float:
    return float(line.rsplit(" ", 1)[1])


def named(text: str) -> bool:
    """Whether the container has joules under its pod's name."""
    words = (f'container_id="{APP}"', 'pod_name="web-7d9c5b8f6c-x2x7k"', 'mode="dynamic"')
    found = lines(text, "kepler_container_joules_total", *words)
    return bool(found) and value(found[0]) > 1


def assert_all_is_told(text: str) -> None:
    assert lines(
        text,
        "wattribute_container_info",
        f'container_id="{APP}",pod_uid="{UID}",pod_name="web-7d9c5b8f6c-x2x7k"',
        'container_namespace="shop",container_name="app"',
        'owner_kind="Deployment",owner_name="web"',
    )
    assert lines(text, "wattribute_pod_labels", f'pod_uid="{UID}"', 'label_app="web"')
    assert not lines(text, "wattribute_pod_labels", "not allowed")
    requests = lines(text, "wattribute_container_requests", f'container_id="{APP}"')
    assert sorted(line.split('resource="')[1] for line in requests) == [
        'cpu_mcore"} 250',
        f'memory_bytes"}} {64 << 20}',
    ]
    assert 'wattribute_attribution_info{policy="reserved"} 1' in text


def assert_the_node_is_told(text: str) -> None:
    words = 'provider_id="aws:///eu-west-1a/i-0123",instance_type="m7i.large",region="eu-west-1"'
    assert lines(text, "wattribute_node_info", f'node="node-1",{words},cluster="test"')
    assert 'wattribute_node_capacity{resource="gpu"} 2' in text


@pytest.fixture
def cluster() -> FakeCluster:
    made = FakeCluster()
    made.put_node(NODE)
    return made


def test_a_pods_joules_have_its_name_on_a_machine_in_a_folder(
    tmp_path: Path, cluster: FakeCluster, start_agent: Callable[..., Any]
) -> None:
    cluster.put_pod(WEB)
    with Machine(tmp_path) as machine, FakeApiServer(cluster) as api:
        agent = start_agent(*machine.flags, *settings(tmp_path, kube_url=api.url))
        text = agent.wait(named)

    assert_all_is_told(text)
    assert_the_node_is_told(text)
    pause = lines(text, "wattribute_container_info", f'container_id="{PAUSE}"')
    assert 'container_name="POD"' in pause[0]
    assert 'pod_name="web-7d9c5b8f6c-x2x7k"' in pause[0]
    assert 'wattribute_identity_up{source="apiserver"} 1' in text


def test_the_kubelet_tells_the_same_over_tls(
    tmp_path: Path, cluster: FakeCluster, start_agent: Callable[..., Any]
) -> None:
    if not shutil.which("openssl"):
        pytest.skip("no openssl program; Debian package openssl")
    cluster.put_pod(WEB)
    authority = Authority(tmp_path / "ca")
    (tmp_path / "token").write_text("t1")
    kubelet = FakeKubelet(cluster, tls=authority.issue(["127.0.0.1"]), tokens={"t1"})
    with Machine(tmp_path) as machine, kubelet:
        agent = start_agent(
            *machine.flags,
            *settings(
                tmp_path,
                kube="kubelet",
                kubelet_url=kubelet.url,
                kube_ca_file=str(authority.certificate),
                kube_token_file=str(tmp_path / "token"),
            ),
        )
        text = agent.wait(named)

    assert_all_is_told(text)
    assert {seen.token for seen in kubelet.seen} == {"t1"}


@pytest.mark.slow
def test_an_api_server_that_comes_back_names_what_was_measured_without_it(
    tmp_path: Path, cluster: FakeCluster, start_agent: Callable[..., Any]
) -> None:
    """The nameless series keeps its joules, the named one begins at 0: none twice, none lost."""
    cluster.put_pod(WEB)
    api = FakeApiServer(cluster).start()
    api.stop()  # its port is known now
    nameless = (f'container_id="{APP}",pod_name=""', 'mode="dynamic"')
    with Machine(tmp_path) as machine:
        agent = start_agent(*machine.flags, *settings(tmp_path, kube_url=api.url))
        agent.wait(
            lambda text: any(
                value(line) > 1 for line in lines(text, "kepler_container_joules_total", *nameless)
            )
        )
        api.start()
        try:
            text = agent.wait(named)
            frozen = value(lines(text, "kepler_container_joules_total", *nameless)[0])
            text = agent.wait_ticks(3)
        finally:
            api.stop()

    assert value(lines(text, "kepler_container_joules_total", *nameless)[0]) == frozen
    shown = sum(map(value, lines(text, "kepler_container_joules_total", 'mode="dynamic"')))
    held = sum(map(value, lines(text, "wattribute_birth_held_joules", 'mode="dynamic"')))
    nobody = sum(map(value, lines(text, "wattribute_unattributed_joules_total")))
    total = sum(map(value, lines(text, "wattribute_node_joules_total", 'mode="dynamic"')))
    assert shown + held + nobody == pytest.approx(total, abs=1e-5)
    assert "connection refused" in agent.log.read_text()


@pytest.mark.slow
def test_whatever_an_api_server_answers_measuring_goes_on_and_the_fix_is_said(
    tmp_path: Path, cluster: FakeCluster, start_agent: Callable[..., Any]
) -> None:
    """An agent for each fault; none loses a joule, and names come when the fault is gone."""
    if not shutil.which("openssl"):
        pytest.skip("no openssl program; Debian package openssl")
    cluster.put_pod(WEB)
    ours, other = Authority(tmp_path / "ca"), Authority(tmp_path / "other")
    certificate = ours.issue(["127.0.0.1"])
    said = {
        "untrusted": "certificate is not trusted (unable to get local issuer certificate); "
        "workload.kube_ca_file",
        "expired": "has expired or belongs to another cluster; it is read again for every request",
        "malformed": "not a list of pods: Input data was truncated",
        "huge": "an answer of over 32 MiB is not read; is this the right server",
    }
    agents, servers = {}, {}
    with Machine(tmp_path) as machine, ExitStack() as stack:
        for fault in said:
            folder = tmp_path / fault
            folder.mkdir()
            (folder / "token").write_text("expired" if fault == "expired" else "good")
            shutil.copy((other if fault == "untrusted" else ours).certificate, folder / "ca.crt")
            api = FakeApiServer(cluster, tls=certificate, tokens={"good"})
            api.faults.junk = b'{"items": [{"metadata": ' if fault == "malformed" else None
            api.faults.huge_bytes = 100 << 20 if fault == "huge" else 0
            servers[fault] = stack.enter_context(api)
            keys = {name: str(folder / file) for name, file in FILES.items()}
            flags = settings(folder, kube_url=api.url, **keys)
            agents[fault] = start_agent(*machine.flags, *flags, name=fault)
        for fault, words in said.items():
            agent = agents[fault]
            text = agent.wait(lambda text: joules(text) > 20, 60)  # four start at once
            assert not named(text)
            warned = [line for line in agent.log.read_text().splitlines() if words in line]
            assert 1 <= len(warned) <= 2, agent.log.read_text()  # at the start; once more if late
            assert peak_mib(agent.process.pid) < 150
        (tmp_path / "expired" / "token").write_text("good")
        shutil.copy(ours.certificate, tmp_path / "untrusted" / "ca.crt")
        for server in servers.values():
            server.faults.junk, server.faults.huge_bytes = None, 0
        for agent in agents.values():
            assert_all_is_told(agent.wait(named, 60))  # its pauses have grown
            assert "Traceback" not in agent.log.read_text()


def joules(text: str) -> float:
    return sum(map(value, lines(text, "wattribute_node_joules_total", 'mode="dynamic"')))


def peak_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


@contextmanager
def process(*command: str, cgroup: GroupCgroup) -> Iterator[None]:
    """A process that is in a cgroup before it does anything."""
    join = "; ".join(f"echo $$ > {file}" for file in cgroup.join_files)
    child = subprocess.Popen(["/bin/sh", "-c", f'{join}; exec "$@"', "sh", *command])
    try:
        yield
    finally:
        child.kill()
        child.wait()


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="making cgroups needs root")
def test_a_pods_joules_have_its_name_in_real_cgroups(
    tmp_path: Path, cluster: FakeCluster, start_agent: Callable[..., Any], counter: Any
) -> None:
    cluster.put_pod(WEB)
    pause_program = tmp_path / "pause"  # the kernel names a process after its file
    shutil.copy(shutil.which("sleep") or "/bin/sleep", pause_program)
    spin = "import itertools\nfor _ in itertools.count(): pass"
    # Below a folder of our own, as in a node that is a container: a kubelet that runs here removes
    # pods that it does not know.
    above = f"/wattribute-test-{uuid.uuid4()}"
    try:
        groups = [GroupCgroup(f"{above}{POD_CGROUP}/{name}") for name in (APP, PAUSE)]
    except CgroupUnavailable as error:
        pytest.skip(f"no cgroup can be made here: {error}")
    counter.run(watts=50)
    try:
        with (
            process(sys.executable, "-c", spin, cgroup=groups[0]),
            process(str(pause_program), "600", cgroup=groups[1]),
            FakeApiServer(cluster) as api,
        ):
            agent = start_agent(
                "--sysfs", str(counter.sysfs), *settings(tmp_path, kube_url=api.url)
            )
            text = agent.wait(
                lambda text: (
                    named(text)
                    and 'container_name="POD"'
                    in "".join(lines(text, "wattribute_container_info", PAUSE))
                )
            )
    finally:
        for group in reversed(groups):
            group.remove()

    assert_all_is_told(text)
