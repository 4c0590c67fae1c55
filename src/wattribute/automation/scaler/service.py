"""Serve the engine's decisions to KEDA as an external scaler over gRPC.

Invalid metadata give INVALID_ARGUMENT, so that KEDA shows them at the ScaledObject. A missing
signal does not, because KEDA would then ignore the fail-open count (decision 0014): the status is
OK, and the trailer ``wattribute-reason`` has the reason.
"""

import asyncio
import math
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final, NoReturn

import grpc
import grpc.aio
from grpc.aio import ServicerContext as _Context
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from wattribute.automation.scaler.decide import Decision, Reason
from wattribute.automation.scaler.engine import Reference, ScalingEngine, TooMany, TriggerState
from wattribute.automation.scaler.keda import externalscaler_pb2 as pb2
from wattribute.automation.scaler.keda import externalscaler_pb2_grpc as pb2_grpc
from wattribute.automation.scaler.policy import stated_fail_open
from wattribute.automation.settings import ScalerSettings
from wattribute.core.errors import ConfigInvalid, ListenFailed
from wattribute.core.units import HOUR_S
from wattribute.http.listen import parse_address

_NAME: Final = "externalscaler.ExternalScaler"
_STREAM_S: Final = 1.0
"""Time between two checks of a stream for a change."""
_MOST_BYTES: Final = 65_536
_TRAILER: Final = "wattribute-reason"
_GRACE_S: Final = 2.0

_Ref = pb2.ScaledObjectRef


class ScalerService(pb2_grpc.ExternalScalerServicer):
    """The five calls of KEDA's ExternalScaler."""

    def __init__(self, engine: ScalingEngine, *, first_s: float) -> None:
        """Answer from ``engine``; a new trigger waits at most ``first_s`` for a decision."""
        self._engine, self._first_s = engine, first_s

    async def IsActive(self, request: _Ref, context: _Context) -> pb2.IsActiveResponse:  # noqa: N802 - KEDA's name
        """Tell whether there may be any replicas."""
        decision = await self._decision_for(request, context)
        if decision.reason is Reason.FAIL_OPEN:
            _tell(context, decision.detail)
        return pb2.IsActiveResponse(result=decision.value > 0)

    async def StreamIsActive(  # noqa: N802
        self, request: _Ref, context: _Context
    ) -> AsyncIterator[pb2.IsActiveResponse]:
        """Send the answer of IsActive now and whenever it changes (``external-push``)."""
        before: bool | None = None
        while True:
            active = (await self._decision_for(request, context)).value > 0
            if active is not before:
                before = active
                yield pb2.IsActiveResponse(result=active)
            await asyncio.sleep(_STREAM_S)

    async def GetMetricSpec(  # noqa: N802
        self, request: _Ref, context: _Context
    ) -> pb2.GetMetricSpecResponse:
        """Return the target by which the HPA divides; it comes from the metadata alone."""
        try:
            target = self._find(request).policy.target
        except ConfigInvalid as exc:
            stated = stated_fail_open(request.scalerMetadata)
            if stated is None:
                await _abort(context, grpc.StatusCode.INVALID_ARGUMENT, str(exc))
            target = stated[0]
        except TooMany as exc:
            await _abort(context, grpc.StatusCode.RESOURCE_EXHAUSTED, str(exc))
        return _spec(target, request.scalerMetadata.get("policy", ""))

    async def StreamMetricSpec(  # noqa: N802
        self, request: _Ref, context: _Context
    ) -> AsyncIterator[pb2.GetMetricSpecResponse]:
        """Send the answer of GetMetricSpec once; it does not change while the metadata do not."""
        yield await self.GetMetricSpec(request, context)
        while True:  # noqa: ASYNC110 - an ended stream would be opened again and again
            await asyncio.sleep(HOUR_S)

    async def GetMetrics(  # noqa: N802
        self, request: pb2.GetMetricsRequest, context: _Context
    ) -> pb2.GetMetricsResponse:
        """Return the demand, reduced by the policy."""
        reference = request.scaledObjectRef
        try:
            scaled = self._find(reference)
        except ConfigInvalid as exc:
            stated = stated_fail_open(reference.scalerMetadata)
            if stated is None:
                await _abort(context, grpc.StatusCode.INVALID_ARGUMENT, str(exc))
            _tell(context, str(exc))
            return _metrics(request.metricName, stated[1])
        except TooMany as exc:
            await _abort(context, grpc.StatusCode.RESOURCE_EXHAUSTED, str(exc))
        decision = await self._decision(scaled, context)
        if decision.reason is Reason.FAIL_OPEN:
            _tell(context, decision.detail)
        return _metrics(request.metricName, decision.value)

    def _find(self, request: _Ref) -> TriggerState:
        metadata = dict(request.scalerMetadata)
        return self._engine.find(Reference.of(request.namespace, request.name, metadata))

    async def _decision_for(self, request: _Ref, context: _Context) -> Decision:
        """Find the object that KEDA names, and give its decision; abort the call if it is wrong."""
        try:
            scaled = self._find(request)
        except ConfigInvalid as exc:
            await _abort(context, grpc.StatusCode.INVALID_ARGUMENT, str(exc))
        except TooMany as exc:
            await _abort(context, grpc.StatusCode.RESOURCE_EXHAUSTED, str(exc))
        return await self._decision(scaled, context)

    async def _decision(self, scaled: TriggerState, context: _Context) -> Decision:
        """Give the latest decision, or wait for the first one; abort the call if none comes."""
        if scaled.decision is None:
            first = asyncio.wrap_future(self._engine.first(scaled))
            await asyncio.wait([first], timeout=self._first_s)
        if scaled.decision is None:
            await _abort(
                context,
                grpc.StatusCode.UNAVAILABLE,
                f"{scaled.label}: no first decision within {self._first_s:g} s",
            )
        return scaled.decision


async def _abort(context: _Context, status: grpc.StatusCode, text: str) -> NoReturn:
    await context.abort(status, text)
    raise AssertionError("an aborted call goes on")


def _tell(context: _Context, detail: str) -> None:
    """Set the trailer with the reason of a fail-open: gRPC drops the text of a status OK."""
    text = detail.encode("ascii", "replace").decode()
    printable = "".join(char if char.isprintable() else "?" for char in text)
    context.set_trailing_metadata(((_TRAILER, f"fail_open: {printable[:1000]}"),))


def _spec(target: float, kind: str) -> pb2.GetMetricSpecResponse:
    whole = max(1, round(target))
    spec = pb2.MetricSpec(
        metricName=f"wattribute-{kind}" if kind else "wattribute",
        targetSize=whole,
        targetSizeFloat=target,
    )
    return pb2.GetMetricSpecResponse(metricSpecs=[spec])


def _metrics(name: str, value: float) -> pb2.GetMetricsResponse:
    metric = pb2.MetricValue(metricName=name, metricValue=math.ceil(value), metricValueFloat=value)
    return pb2.GetMetricsResponse(metricValues=[metric])


class GrpcServer:
    """A gRPC server on one address, in one event loop."""

    def __init__(self, engine: ScalingEngine, settings: ScalerSettings) -> None:
        """Bind, without answering yet.

        Raises:
            ConfigInvalid: the address or the TLS files are wrong.
            ListenFailed: the address cannot be listened on.
        """
        self._server = grpc.aio.server(
            options=[
                ("grpc.max_receive_message_length", _MOST_BYTES),
                ("grpc.so_reuseport", 0),
            ]
        )
        servicer = ScalerService(engine, first_s=settings.timeout + 1)
        pb2_grpc.add_ExternalScalerServicer_to_server(servicer, self._server)  # type: ignore[no-untyped-call]
        self._health = health.aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        address = parse_address(settings.listen)
        where = str(address) if address.host else f"[::]:{address.port}"
        credentials = _credentials(settings)
        try:
            if credentials is None:
                self.port = self._server.add_insecure_port(where)
            else:
                self.port = self._server.add_secure_port(where, credentials)
        except RuntimeError as exc:
            raise ListenFailed(
                f"{settings.listen}: cannot listen on this address; another program may use it: "
                "choose another with scaler.listen"
            ) from exc

    async def start(self) -> None:
        """Start to answer calls."""
        await self._server.start()
        serving = health_pb2.HealthCheckResponse.SERVING
        for name in ("", _NAME):
            await self._health.set(name, serving)

    async def stop(self) -> None:
        """Report the shutdown to probes, and end running calls after a short grace period."""
        await self._health.enter_graceful_shutdown()
        await self._server.stop(_GRACE_S)


def _credentials(settings: ScalerSettings) -> grpc.ServerCredentials | None:
    if not settings.tls_cert and not settings.tls_key:
        if settings.tls_client_ca:
            raise ConfigInvalid("scaler.tls_client_ca: set scaler.tls_cert and scaler.tls_key too")
        return None
    cert, key = _file("tls_cert", settings.tls_cert), _file("tls_key", settings.tls_key)
    ca = _file("tls_client_ca", settings.tls_client_ca) if settings.tls_client_ca else None
    return grpc.ssl_server_credentials(
        [(key, cert)], root_certificates=ca, require_client_auth=ca is not None
    )


def _file(key: str, path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as exc:
        raise ConfigInvalid(
            f"scaler.{key}: {path or 'not given'}: cannot be read: {exc.strerror}"
        ) from exc
