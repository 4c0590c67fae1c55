r"""Find the container, pod or VM that a cgroup belongs to, from its path alone.

The path formats are those in the runtimes' source code: runc's and crun's systemd and
cgroupfs drivers, containerd (``pkg/cri``), CRI-O, podman (``libpod``), the
kubelet (``pkg/kubelet/cm``), LXC (``lxc.cgroup.dir.*``), systemd
(``machine-NAME.scope``, names escaped as ``\x2d``) and libvirt.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from wattribute.core.records import Placement

_ID = r"[0-9a-f]{64}"
_UUID = r"[0-9a-f]{8}(?:[-_][0-9a-f]{4}){3}[-_][0-9a-f]{12}"

_RUNTIMES: Final = {
    "docker": "docker",
    "cri-containerd": "containerd",
    "nerdctl": "containerd",
    "crio": "cri-o",
    "libpod": "podman",
    "libpod-payload": "podman",
}
_PREFIX = "|".join(sorted(_RUNTIMES, key=len, reverse=True))

_PREFIXED: Final = re.compile(rf"(?P<runtime>{_PREFIX})-(?P<id>{_ID})(?:\.scope)?")
"""``docker-ID.scope``. A scope such as ``crio-conmon-ID.scope`` holds the container's monitor,
not the container, and does not match."""
_COLONS: Final = re.compile(rf"(?P<slice>[^:]+):(?P<runtime>[^:]+):(?P<id>{_ID})")
"""``kubepods-podUID.slice:cri-containerd:ID``: a systemd path that a cgroupfs driver used as the
name of a folder."""
_BARE: Final = re.compile(_ID)
_ECS: Final = re.compile(r"[0-9a-f]{32}-[0-9]+")
"""ECS on Fargate: the id of the task and a number."""
_POD: Final = re.compile(rf"(?:.*-)?pod(?P<uid>{_UUID}|[0-9a-f]{{32}})(?:\.slice)?")
"""``podUID`` (cgroupfs driver), ``kubepods-burstable-podUID.slice`` (systemd driver, dashes as
underscores); static pods have 32 hex digits."""

_PARENTS: Final = {
    "docker": "docker",
    "libpod_parent": "podman",
    "k8s.io": "containerd",
    "moby": "docker",
    "default": "containerd",
}
"""Folders whose children named ``ID`` are containers of this runtime."""
_NAMING_PARENTS: Final = {"lxc": "lxc", "lxc.payload": "lxc", "garden": "", "buildkit": ""}
"""Folders whose children are all containers of this runtime, whatever their names."""
_LXC: Final = "lxc.payload."
_NSPAWN: Final = re.compile(r"systemd-nspawn@(?P<name>.+)\.service")
_MACHINE: Final = re.compile(r"machine-(?P<name>.+)\.scope")
_LIBVIRT: Final = re.compile(r"(?P<kind>qemu|lxc)-[0-9]+-(?P<name>.+)")
_LIBVIRT_FOLDER: Final = re.compile(r"(?:qemu-[0-9]+-)?(?P<name>.+)\.libvirt-qemu")
_UNIT: Final = re.compile(r".+\.(?:service|scope|slice|socket|mount|swap)")
_ESCAPE: Final = re.compile(r"\\x([0-9a-f]{2})")


@lru_cache(maxsize=8192)
def place(path: str) -> Placement:
    """Return the owner that a cgroup's path names; the deepest container, pod or VM wins.

    Args:
        path: path from the root of the hierarchy; any text is accepted.
    """
    parts = path.split("/")
    for depth in range(len(parts) - 1, 0, -1):
        for kind in _KINDS:
            placement = kind(parts, depth)
            if placement is not None:
                return placement
    return Placement("system", unit=_unit(parts))


def _container_by_id(parts: Sequence[str], depth: int) -> Placement | None:
    """Recognise a folder whose name contains a container id."""
    part = parts[depth]
    if match := _PREFIXED.fullmatch(part):
        return _container(parts[:depth], match["id"], _RUNTIMES[match["runtime"]])
    if match := _COLONS.fullmatch(part):
        runtime = _RUNTIMES.get(match["runtime"], "")
        return _container([*parts[:depth], match["slice"]], match["id"], runtime)
    if _BARE.fullmatch(part):
        return _container(parts[:depth], part, _PARENTS.get(parts[depth - 1], ""))
    if _ECS.fullmatch(part) and "ecs" in parts[:depth]:
        return _container(parts[:depth], part, "")
    return None


def _container_by_place(parts: Sequence[str], depth: int) -> Placement | None:
    """Recognise a folder that is a container because of the folder above it."""
    part, above = parts[depth], parts[depth - 1]
    if part and above in _NAMING_PARENTS:
        return _container(parts[:depth], part, _NAMING_PARENTS[above])
    if part.startswith(_LXC) and part != _LXC:
        return _container(parts[:depth], part.removeprefix(_LXC), "lxc")
    return None


def _pod(parts: Sequence[str], depth: int) -> Placement | None:
    match = _POD.fullmatch(parts[depth])
    return Placement("pod", pod_uid=match["uid"].replace("_", "-")) if match else None


def _libvirt_folder(parts: Sequence[str], depth: int) -> Placement | None:
    """Recognise VMs of libvirt without systemd.

    Their paths are ``/machine/qemu-1-NAME.libvirt-qemu`` and ``/libvirt/qemu/NAME``.
    """
    part = parts[depth]
    if match := _LIBVIRT_FOLDER.fullmatch(part):
        return Placement("vm", vm_id=_unescape(match["name"]))
    if part and depth > 1 and tuple(parts[depth - 2 : depth]) == ("libvirt", "qemu"):
        return Placement("vm", vm_id=part)
    return None


def _machine(parts: Sequence[str], depth: int) -> Placement | None:
    """Recognise a machine that is registered with systemd-machined."""
    part = parts[depth]
    if parts[depth - 1] != "machine.slice":
        return None
    if match := _NSPAWN.fullmatch(part):
        return Placement("container", _unescape(match["name"]), "systemd-nspawn")
    match = _MACHINE.fullmatch(part)
    if match is None:
        return None
    name = _unescape(match["name"])
    libvirt = _LIBVIRT.fullmatch(name)
    if libvirt is None:
        return Placement("container", name, "systemd-nspawn")
    if libvirt["kind"] == "qemu":
        return Placement("vm", vm_id=libvirt["name"])
    return Placement("container", libvirt["name"], "lxc")


_KINDS: Final = (_container_by_id, _pod, _container_by_place, _libvirt_folder, _machine)


def _container(above: Sequence[str], container_id: str, runtime: str) -> Placement:
    """Return a container's placement in the nearest pod above it."""
    pods = (_POD.fullmatch(part) for part in reversed(above))
    pod = next((match["uid"].replace("_", "-") for match in pods if match), "")
    return Placement("container", container_id, runtime, pod)


def _unit(parts: Sequence[str]) -> str:
    """Return the deepest systemd unit of a path; a slice only if there is no other unit."""
    units = [part for part in parts if _UNIT.fullmatch(part)]
    services = [unit for unit in units if not unit.endswith(".slice")]
    return (services or units or [""])[-1]


def _unescape(name: str) -> str:
    r"""Decode systemd's escapes: ``a\x2db`` becomes ``a-b`` (systemd-escape(1))."""
    raw = _ESCAPE.sub(lambda match: chr(int(match[1], 16)), name)
    try:
        return raw.encode("latin-1").decode()
    except UnicodeError:
        return raw
