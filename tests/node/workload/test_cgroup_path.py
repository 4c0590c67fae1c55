"""Placements of cgroup paths, as they are found in the field."""

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from wattribute.core.records import Placement
from wattribute.node.workload.cgroup_path import place

ID = "8f1c3f5b2d6e4a7098b1c2d3e4f5061728394a5b6c7d8e9f0a1b2c3d4e5f6071"
ID2 = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
UID = "2f1a9d0c-6b7e-4c3d-9a8b-0c1d2e3f4a5b"
UID_ = UID.replace("-", "_")
STATIC = "0123456789abcdef0123456789abcdef"

CONTAINERS = [
    # docker
    (f"/docker/{ID}", ID, "docker", ""),
    (f"/system.slice/docker-{ID}.scope", ID, "docker", ""),
    (f"/system.slice/docker-{ID}.scope/init.scope", ID, "docker", ""),
    (f"/docker/{ID}/system.slice/cron.service", ID, "docker", ""),
    (
        f"/user.slice/user-1000.slice/user@1000.service/user.slice/docker-{ID}.scope",
        ID,
        "docker",
        "",
    ),
    (f"/my-parent/{ID}", ID, "", ""),
    (f"/actions_job/{ID}", ID, "", ""),
    # Kubernetes, cgroupfs driver
    (f"/kubepods/burstable/pod{UID}/{ID}", ID, "", UID),
    (f"/kubepods/besteffort/pod{UID}/{ID}", ID, "", UID),
    (f"/kubepods/pod{UID}/{ID}", ID, "", UID),
    (f"/kubepods/pod{STATIC}/{ID}", ID, "", STATIC),
    (f"/kubepods/burstable/pod{UID}/crio-{ID}", ID, "cri-o", UID),
    # Kubernetes, systemd driver
    (
        f"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{UID_}.slice/cri-containerd-{ID}.scope",
        ID,
        "containerd",
        UID,
    ),
    (f"/kubepods.slice/kubepods-pod{UID_}.slice/crio-{ID}.scope", ID, "cri-o", UID),
    (f"/kubepods.slice/kubepods-pod{UID_}.slice/crio-{ID}.scope/container", ID, "cri-o", UID),
    (
        f"/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod{UID_}.slice/docker-{ID}.scope",
        ID,
        "docker",
        UID,
    ),
    (
        f"/kubepods.slice/kubepods-burstable-pod{STATIC}.slice/cri-containerd-{ID}.scope",
        ID,
        "containerd",
        STATIC,
    ),
    (
        f"/system.slice/containerd.service/kubepods-burstable-pod{UID_}.slice:cri-containerd:{ID}",
        ID,
        "containerd",
        UID,
    ),
    # containerd without Kubernetes
    (f"/default/{ID}", ID, "containerd", ""),
    (f"/k8s.io/{ID}", ID, "containerd", ""),
    (f"/system.slice/nerdctl-{ID}.scope", ID, "containerd", ""),
    # podman
    (f"/machine.slice/libpod-{ID}.scope", ID, "podman", ""),
    (f"/machine.slice/libpod-{ID}.scope/container", ID, "podman", ""),
    (f"/machine.slice/machine-libpod_pod_{ID2}.slice/libpod-{ID}.scope", ID, "podman", ""),
    (
        f"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{ID}.scope/container",
        ID,
        "podman",
        "",
    ),
    (f"/libpod_parent/libpod-{ID}", ID, "podman", ""),
    (f"/libpod_parent/{ID2}/libpod-{ID}", ID, "podman", ""),
    (f"/system.slice/web.service/libpod-payload-{ID}", ID, "podman", ""),
    # nested: the deepest container
    (
        f"/docker/{ID2}/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/kubelet-kubepods-burstable-pod{UID_}.slice/cri-containerd-{ID}.scope",
        ID,
        "containerd",
        UID,
    ),
    (f"/docker/{ID2}/kubelet/kubepods/besteffort/pod{UID}/{ID}", ID, "", UID),
    (f"/docker/{ID2}/docker/{ID}", ID, "docker", ""),
    (f"/kubepods/pod{UID}/{ID2}/docker/{ID}", ID, "docker", UID),
    # LXC
    ("/lxc/web", "web", "lxc", ""),
    ("/lxc/101/ns/system.slice/ssh.service", "101", "lxc", ""),
    ("/lxc.payload.web", "web", "lxc", ""),
    ("/lxc.payload.proj_web/init.scope", "proj_web", "lxc", ""),
    ("/lxc.payload/web", "web", "lxc", ""),
    (f"/lxc.payload.web/system.slice/docker-{ID}.scope", ID, "docker", ""),
    (r"/machine.slice/machine-lxc\x2d4711\x2dweb.scope", "web", "lxc", ""),
    # systemd-nspawn
    ("/machine.slice/machine-debian.scope", "debian", "systemd-nspawn", ""),
    (r"/machine.slice/machine-my\x2dbox.scope/payload", "my-box", "systemd-nspawn", ""),
    ("/machine.slice/systemd-nspawn@debian.service/payload", "debian", "systemd-nspawn", ""),
    # others
    (f"/ecs/{STATIC}/{ID}", ID, "", ""),
    (f"/ecs/my-cluster/{STATIC}/{ID}", ID, "", ""),
    (f"/ecs/{STATIC}/{STATIC}-1234567890", f"{STATIC}-1234567890", "", ""),
    (f"/ecstasks.slice/ecstasks-{STATIC}.slice/docker-{ID}.scope", ID, "docker", ""),
    ("/garden/6c8ffdb8-5d4e-4a44-7b5c-3f1c", "6c8ffdb8-5d4e-4a44-7b5c-3f1c", "", ""),
    ("/system.slice/docker.service/buildkit/x7kq1yvm2", "x7kq1yvm2", "", ""),
]

OTHERS = [
    ("/", Placement("system")),
    ("", Placement("system")),
    ("/system.slice/ssh.service", Placement("system", unit="ssh.service")),
    ("/system.slice/docker.service", Placement("system", unit="docker.service")),
    ("/system.slice", Placement("system", unit="system.slice")),
    (
        "/user.slice/user-1000.slice/session-3.scope",
        Placement("system", unit="session-3.scope"),
    ),
    (
        "/user.slice/user-1000.slice/user@1000.service/app.slice/app-firefox-1.scope",
        Placement("system", unit="app-firefox-1.scope"),
    ),
    (
        "/kubepods.slice/kubepods-burstable.slice",
        Placement("system", unit="kubepods-burstable.slice"),
    ),
    ("/docker", Placement("system")),
    (f"/kubepods/burstable/pod{UID}", Placement("pod", pod_uid=UID)),
    (f"/kubepods.slice/kubepods-pod{UID_}.slice", Placement("pod", pod_uid=UID)),
    (
        f"/kubepods.slice/kubepods-pod{UID_}.slice/crio-conmon-{ID}.scope",
        Placement("pod", pod_uid=UID),
    ),
    (
        f"/machine.slice/libpod-conmon-{ID}.scope",
        Placement("system", unit=f"libpod-conmon-{ID}.scope"),
    ),
    ("/libpod_parent/conmon", Placement("system")),
    ("/lxc.monitor.web", Placement("system")),
    (
        r"/machine.slice/machine-qemu\x2d1\x2dweb\x2dserver.scope",
        Placement("vm", vm_id="web-server"),
    ),
    (
        r"/machine.slice/machine-qemu\x2d12\x2dweb.scope/libvirt/vcpu0",
        Placement("vm", vm_id="web"),
    ),
    ("/machine/qemu-1-web.libvirt-qemu/emulator", Placement("vm", vm_id="web")),
    ("/machine/web.libvirt-qemu", Placement("vm", vm_id="web")),
    ("/libvirt/qemu/web/vcpu1", Placement("vm", vm_id="web")),
    (
        r"/machine.slice/machine-k\xc3\xa4fer.scope",
        Placement("container", "käfer", "systemd-nspawn"),
    ),
]


@pytest.mark.parametrize(("path", "container_id", "runtime", "pod_uid"), CONTAINERS)
def test_a_container_is_known_by_its_path(
    path: str, container_id: str, runtime: str, pod_uid: str
) -> None:
    assert place(path) == Placement("container", container_id, runtime, pod_uid)


@pytest.mark.parametrize(("path", "placement"), OTHERS)
def test_what_is_not_a_container_is_known_too(path: str, placement: Placement) -> None:
    assert place(path) == placement


parts = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        [ID, f"docker-{ID}.scope", f"pod{UID}", "lxc", "qemu", "machine.slice", "ecs", "garden"]
    ),
    st.from_regex(r"machine-(\\x[0-9a-f]{2}|[a-z])*\.scope", fullmatch=True),
)


@given(st.one_of(st.text(), st.lists(parts).map("/".join)))
@example("/machine.slice/machine-\\xff.scope")
@example("\ud800/\n")
def test_any_text_has_a_placement(path: str) -> None:
    placement = place(path)

    assert placement.kind in {"container", "pod", "vm", "system"}
    assert (placement.kind == "container") == bool(placement.container_id)
    assert (placement.kind == "vm") == bool(placement.vm_id)


@given(st.text(alphabet=st.characters(exclude_characters="/")))
def test_a_folder_in_a_container_belongs_to_it_unless_it_is_one(name: str) -> None:
    assume(place(f"/inner/{name}").kind == "system")

    assert place(f"/docker/{ID}/inner/{name}") == place(f"/docker/{ID}")
