"""A kubelet's pod-resources socket in a folder: a real gRPC server, with Google's own libraries.

Needs grpcio and protobuf (extra ``scaler``), which nothing that it tests uses.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, Self

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_SERVICE: Final = "v1.PodResourcesLister"
_TEXT: Final = descriptor_pb2.FieldDescriptorProto.TYPE_STRING
_NUMBER: Final = descriptor_pb2.FieldDescriptorProto.TYPE_INT64
_MESSAGES: Final[dict[str, dict[int, tuple[str, str | int, bool]]]] = {
    "ListPodResourcesRequest": {},
    "ListPodResourcesResponse": {1: ("pod_resources", "PodResources", True)},
    "PodResources": {
        1: ("name", _TEXT, False),
        2: ("namespace", _TEXT, False),
        3: ("containers", "ContainerResources", True),
    },
    "ContainerResources": {
        1: ("name", _TEXT, False),
        2: ("devices", "ContainerDevices", True),
        3: ("cpu_ids", _NUMBER, True),
        5: ("dynamic_resources", "DynamicResource", True),
    },
    "ContainerDevices": {1: ("resource_name", _TEXT, False), 2: ("device_ids", _TEXT, True)},
    "DynamicResource": {
        2: ("claim_name", _TEXT, False),
        4: ("claim_resources", "ClaimResource", True),
    },
    "ClaimResource": {
        1: ("cdi_devices", "CDIDevice", True),
        2: ("driver_name", _TEXT, False),
        3: ("pool_name", _TEXT, False),
        4: ("device_name", _TEXT, False),
    },
    "CDIDevice": {1: ("name", _TEXT, False)},
}
"""The part of api.proto that matters: by message and number, (name, type, repeated)."""


class FakePodResources:
    """Answers List with what was given; ``socket`` is its address."""

    def __init__(self, folder: Path) -> None:
        """Listen in a folder; its path must be short (107 bytes for a Unix socket)."""
        self.socket = folder / "kubelet.sock"
        self.asked = 0
        self.refusal: tuple[grpc.StatusCode, str] | None = None
        """What every call is refused with."""
        self._answer = _types()["ListPodResourcesResponse"]()
        self._pool = ThreadPoolExecutor(2)
        self._server = grpc.server(self._pool)
        handler = grpc.unary_unary_rpc_method_handler(
            self._list, response_serializer=lambda answer: answer.SerializeToString()
        )
        self._server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(_SERVICE, {"List": handler}),)
        )
        self._server.add_insecure_port(f"unix:{self.socket}")
        self._server.start()

    def give(
        self, pod: str, container: str, resource: str, devices: Sequence[str], namespace: str = "ml"
    ) -> Self:
        """A device plugin's devices are given to a container."""
        self._container(namespace, pod, container).devices.add(
            resource_name=resource, device_ids=list(devices)
        )
        return self

    def claim(
        self, pod: str, container: str, driver: str, device: str, namespace: str = "ml"
    ) -> Self:
        """A device of dynamic resource allocation is given to a container."""
        dynamic = self._container(namespace, pod, container).dynamic_resources.add(
            claim_name=f"{pod}-claim"
        )
        claimed = dynamic.claim_resources.add(driver_name=driver, pool_name="node")
        claimed.device_name = device
        claimed.cdi_devices.add(name=f"k8s.{driver}/claim={'0' * 120}-{device}")
        return self

    def close(self) -> None:
        """Close the socket, and stop the server."""
        self._server.stop(None)
        self._pool.shutdown()

    def _container(self, namespace: str, pod: str, container: str) -> Any:  # noqa: ANN401 - made
        pod_answer = self._answer.pod_resources.add(name=pod, namespace=namespace)
        added = pod_answer.containers.add(name=container)
        added.cpu_ids.extend([0, 1, 300])
        return added

    def _list(self, _request: bytes, context: grpc.ServicerContext) -> Any:  # noqa: ANN401
        self.asked += 1
        if self.refusal is not None:
            context.abort(*self.refusal)
        return self._answer


def _types() -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(name="api.proto", package="v1", syntax="proto3")
    for message, members in _MESSAGES.items():
        message_type = file.message_type.add(name=message)
        for number, (name, kind, repeated) in members.items():
            field = message_type.field.add(name=name, number=number, label=3 if repeated else 1)
            if isinstance(kind, str):
                field.type, field.type_name = field.TYPE_MESSAGE, f".v1.{kind}"
            else:
                field.type = kind
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"v1.{name}"))
        for name in _MESSAGES
    }
