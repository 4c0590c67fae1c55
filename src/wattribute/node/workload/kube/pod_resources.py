"""Which container was given which device: the kubelet's pod-resources socket.

It tells of containers that hold a GPU and have not opened it, which no driver knows.
Source: k8s.io/kubelet/pkg/apis/podresources/v1/api.proto (List; stable since 1.28; devices of
dynamic resource allocation since 1.34).
"""

import logging
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from wattribute.core.errors import IdentityDenied, IdentityError, IdentityFailed
from wattribute.core.records import Allocation, IdentityHealth
from wattribute.node.workload.kube.protobuf import fields

_LOG = logging.getLogger(__name__)

_METHOD: Final = "/v1.PodResourcesLister/List"
_EVERY_S: Final = 10.0
_AGAIN_S: Final = 60.0
"""After a failure: the kubelet may be older, or its folder not mounted."""
_TIMEOUT_S: Final = 5.0
_LARGEST_BYTES: Final = 16 << 20
"""The limit of the kubelet's own clients."""

# Numbers of fields in api.proto, by message.
_PODS: Final = 1
_POD_NAME, _POD_NAMESPACE, _POD_CONTAINERS = 1, 2, 3
_CONTAINER_NAME, _CONTAINER_DEVICES, _CONTAINER_DYNAMIC = 1, 2, 5
_DEVICES_RESOURCE, _DEVICES_IDS = 1, 2
_DYNAMIC_CLAIMS: Final = 4
_CLAIM_DRIVER, _CLAIM_DEVICE = 2, 4

Call = Callable[[Path, str], bytes]
"""From a socket and a method to the answer; raises IdentityError."""


def allocations(message: bytes) -> tuple[Allocation, ...]:
    """What a ListPodResourcesResponse says, one entry per device.

    Raises:
        ValueError: it is none.
    """
    return tuple(
        allocation
        for number, pod in fields(message)
        if number == _PODS
        for allocation in _of_pod(pod)
    )


class PodResources:
    """Asks the kubelet of this node now and then, in a thread of its own."""

    name = "pod-resources"

    def __init__(self, socket_file: Path, ask: Call | None = None) -> None:
        """Begin to ask.

        Args:
            socket_file: where the kubelet listens.
            ask: how; None: by gRPC.
        """
        self._socket = socket_file
        self._ask = ask or _by_grpc
        self._held: tuple[Allocation, ...] = ()
        self._requests = self._failures = 0
        self._message = "no answer yet"
        self._denied = False
        self._told = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name=self.name, daemon=True)
        self._thread.start()

    def held(self) -> tuple[Allocation, ...]:
        """Who was given which device, as the last answer had it; never waits."""
        return self._held

    def wait(self, timeout_s: float) -> None:
        """Wait until the first answer or failure, but no longer than that."""
        self._told.wait(timeout_s)

    @property
    def denied(self) -> bool:
        """The last failure was for want of a right."""
        return self._denied

    def health(self) -> IdentityHealth:
        """How it is doing; ``pods``: those that hold a device."""
        return IdentityHealth(
            name=self.name,
            up=self._told.is_set() and not self._message,
            failures=self._failures,
            requests=self._requests,
            pods=len({(one.namespace, one.pod) for one in self._held}),
            message=self._message,
        )

    def close(self) -> None:
        """Stop asking; does not wait for an answer that is under way."""
        self._stop.set()

    def _work(self) -> None:
        while not self._stop.is_set():
            self._stop.wait(_EVERY_S if self._round() else _AGAIN_S)

    def _round(self) -> bool:
        """Ask once; whether there was an answer."""
        self._requests += 1
        try:
            self._held = allocations(self._ask(self._socket, _METHOD))
            problem = ""
        except IdentityError as error:
            self._denied, problem = isinstance(error, IdentityDenied), str(error)
        except ValueError as error:
            problem = f"{self._socket}: not a list of pod resources: {error}"
        if problem:
            self._failures += 1
            if problem != self._message:
                _LOG.warning("%s; devices are held by who has them open", problem)
        self._message = problem
        self._told.set()
        return not problem


def _by_grpc(socket_file: Path, method: str) -> bytes:
    try:
        from wattribute.node.workload.kube.grpc_call import call  # noqa: PLC0415 - 9 MB, for few
    except ImportError as error:
        raise IdentityFailed(
            "the kubelet's pod resources need wattribute[gpu]; in a clone: make setup-all"
        ) from error
    return call(socket_file, method, b"", timeout_s=_TIMEOUT_S, most=_LARGEST_BYTES)


def _of_pod(pod: bytes) -> Iterator[Allocation]:
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
        called, devices = _of_container(container)
        for resource, device in devices:
            yield Allocation(namespace, name, called, resource, device)


def _of_container(container: bytes) -> tuple[str, list[tuple[str, str]]]:
    """Its name, and (resource or driver, device) of what it was given."""
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
                    told = dict(fields(claim))
                    driver, device = told.get(_CLAIM_DRIVER, b""), told.get(_CLAIM_DEVICE, b"")
                    devices.append((driver.decode(), device.decode()))
    return name, devices
