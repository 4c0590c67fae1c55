"""Read which container was given which device from the kubelet's pod-resources socket.

It also lists containers that were given a GPU and have not opened it; no driver knows these.
Source: k8s.io/kubelet/pkg/apis/podresources/v1/api.proto (List; stable since 1.28; devices of
dynamic resource allocation since 1.34).
"""

import logging
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from wattribute.core.errors import IdentityDenied, IdentityError, IdentityFailed
from wattribute.core.records import DeviceAllocation, IdentityHealth
from wattribute.node.workload.kube.protobuf import fields

_LOG = logging.getLogger(__name__)

_METHOD: Final = "/v1.PodResourcesLister/List"
_EVERY_S: Final = 10.0
_AGAIN_S: Final = 60.0
"""Pause after a failure: the kubelet may be too old, or its folder is not mounted."""
_TIMEOUT_S: Final = 5.0
_LARGEST_BYTES: Final = 16 << 20
"""The same limit as in the kubelet's own clients."""

# Numbers of fields in api.proto, by message.
_PODS: Final = 1
_POD_NAME, _POD_NAMESPACE, _POD_CONTAINERS = 1, 2, 3
_CONTAINER_NAME, _CONTAINER_DEVICES, _CONTAINER_DYNAMIC = 1, 2, 5
_DEVICES_RESOURCE, _DEVICES_IDS = 1, 2
_DYNAMIC_CLAIMS: Final = 4
_CLAIM_DRIVER, _CLAIM_DEVICE = 2, 4

Call = Callable[[Path, str], bytes]
"""Takes a socket and a method, and returns the answer; raises IdentityError."""


def allocations(message: bytes) -> tuple[DeviceAllocation, ...]:
    """Decode a ListPodResourcesResponse into one allocation per device.

    Raises:
        ValueError: the bytes are not such a message.
    """
    return tuple(
        allocation
        for number, pod in fields(message)
        if number == _PODS
        for allocation in _of_pod(pod)
    )


class PodResources:
    """Asks this node's kubelet for device allocations now and then, in a separate thread."""

    name = "pod-resources"

    def __init__(self, socket_file: Path, ask: Call | None = None) -> None:
        """Start the thread that asks.

        Args:
            socket_file: the socket on which the kubelet listens.
            ask: the function that makes the call; None: gRPC.
        """
        self._socket = socket_file
        self._ask = ask or _by_grpc
        self._held: tuple[DeviceAllocation, ...] = ()
        self._requests = self._failures = 0
        self._message = "no answer yet"
        self._denied = False
        self._told = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name=self.name, daemon=True)
        self._thread.start()

    def current(self) -> tuple[DeviceAllocation, ...]:
        """Return the allocations of the last answer; the call never waits."""
        return self._held

    def wait(self, timeout_s: float) -> None:
        """Wait for the first answer or failure, at most this many seconds."""
        self._told.wait(timeout_s)

    @property
    def denied(self) -> bool:
        """True if the last failure was a missing permission."""
        return self._denied

    def health(self) -> IdentityHealth:
        """Return the health of the source; its ``pods`` are the pods that hold a device."""
        return IdentityHealth(
            name=self.name,
            up=self._told.is_set() and not self._message,
            failures=self._failures,
            requests=self._requests,
            pods=len({(allocation.namespace, allocation.pod) for allocation in self._held}),
            message=self._message,
        )

    def close(self) -> None:
        """Stop asking, without waiting for an answer that is still due."""
        self._stop.set()

    def _work(self) -> None:
        while not self._stop.is_set():
            self._stop.wait(_EVERY_S if self._round() else _AGAIN_S)

    def _round(self) -> bool:
        """Ask the kubelet once; return whether it answered."""
        self._requests += 1
        try:
            self._held = allocations(self._ask(self._socket, _METHOD))
            problem = ""
        except IdentityError as error:
            self._denied, problem = isinstance(error, IdentityDenied), str(error)
        except ValueError as error:
            problem = f"{self._socket}: the answer is not a list of pod resources: {error}"
        if problem:
            self._failures += 1
            if problem != self._message:
                _LOG.warning(
                    "%s; a device is attributed to the processes that have it open", problem
                )
        self._message = problem
        self._told.set()
        return not problem


def _by_grpc(socket_file: Path, method: str) -> bytes:
    try:
        from wattribute.node.workload.kube.grpc_call import call  # noqa: PLC0415 - 9 MB, for few
    except ImportError as error:
        raise IdentityFailed(
            "the kubelet's pod resources need the extra wattribute[gpu]; install it (in a clone: "
            "make setup-all)"
        ) from error
    return call(socket_file, method, b"", timeout_s=_TIMEOUT_S, most=_LARGEST_BYTES)


def _of_pod(pod: bytes) -> Iterator[DeviceAllocation]:
    name = namespace = ""
    containers = []
    for number, value in fields(pod):
        if number == _POD_NAME:
            name = value.decode()
        elif number == _POD_NAMESPACE:
            namespace = value.decode()
        elif number == _POD_CONTAINERS:
            containers.append(value)
    for container in containers:
        container_name, devices = _of_container(container)
        for resource, device in devices:
            yield DeviceAllocation(namespace, name, container_name, resource, device)


def _of_container(container: bytes) -> tuple[str, list[tuple[str, str]]]:
    """Return a container's name, and (resource or driver, device) of each device given to it."""
    name, devices = "", []
    for number, value in fields(container):
        if number == _CONTAINER_NAME:
            name = value.decode()
        elif number == _CONTAINER_DEVICES:
            parts = list(fields(value))
            resource = "".join(v.decode() for n, v in parts if n == _DEVICES_RESOURCE)
            devices += [(resource, v.decode()) for n, v in parts if n == _DEVICES_IDS]
        elif number == _CONTAINER_DYNAMIC:
            for part, claim in fields(value):
                if part == _DYNAMIC_CLAIMS:
                    claim_fields = dict(fields(claim))
                    driver, device = (
                        claim_fields.get(_CLAIM_DRIVER, b""),
                        claim_fields.get(_CLAIM_DEVICE, b""),
                    )
                    devices.append((driver.decode(), device.decode()))
    return name, devices
