import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from wattribute.accounting.carbon import Basis, Grid, open_grid
from wattribute.automation.scaler.engine import ScalingEngine
from wattribute.automation.scaler.keda import externalscaler_pb2 as pb2
from wattribute.automation.scaler.keda import externalscaler_pb2_grpc as pb2_grpc
from wattribute.automation.settings import ScalerSettings
from wattribute.settings import load
from wattribute_testing.carbon import FakeCarbonApis

QUERIES = {"queue": 'sum(queue{exported_namespace="$namespace",name="$workload"})'}
GOOD = {
    "scalerAddress": "scaler:9104",
    "policy": "intensity",
    "query": "queue",
    "target": "5",
    "failOpenReplicas": "3",
    "region": "DE",
    "emissionThreshold": "10",
}


def reference(namespace: str = "shop", name: str = "reports", **more: str) -> pb2.ScaledObjectRef:
    metadata = {key: value for key, value in {**GOOD, **more}.items() if value}
    return pb2.ScaledObjectRef(name=name, namespace=namespace, scalerMetadata=metadata)


def grid(apis: FakeCarbonApis, folder: Path, **more: object) -> Grid:
    token = folder / "token"
    token.write_text(apis.token)
    keys = {
        **apis.settings(),
        "electricity_maps_token_file": str(token),
        "sources": ("electricity-maps",),
        "cache": "none",
        "timeout": 2.0,
        **more,
    }
    settings = load(None, {}, {f"carbon.{name}": value for name, value in keys.items()})
    return open_grid(settings.accounting, Basis.LOCATION)


@pytest.fixture
def apis() -> Iterator[FakeCarbonApis]:
    with FakeCarbonApis() as server:
        yield server


@pytest.fixture
def room() -> ScalerSettings:
    return ScalerSettings(listen="127.0.0.1:0", queries=QUERIES, refresh=1.0, timeout=3.0)


@pytest.fixture
def stub(  # noqa: PLR0917 - fixtures
    apis: FakeCarbonApis,
    room: ScalerSettings,
    demand: Any,
    tmp_path: Path,
    watching: Callable[..., Any],
    serving: Callable[[ScalingEngine, ScalerSettings], AbstractContextManager[int]],
) -> Iterator[Any]:
    engine = ScalingEngine(room, demand, watching(grid(apis, tmp_path)))
    with (
        serving(engine, room) as port,
        grpc.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        made = pb2_grpc.ExternalScalerStub(channel)
        made.health = health_pb2_grpc.HealthStub(channel)
        yield made


def value(stub: Any, ref: pb2.ScaledObjectRef) -> float:
    request = pb2.GetMetricsRequest(scaledObjectRef=ref, metricName="s0-x")
    [metric] = stub.GetMetrics(request).metricValues
    assert metric.metricName == "s0-x"
    assert metric.metricValue >= metric.metricValueFloat
    return float(metric.metricValueFloat)


def test_a_dirty_grid_pauses_and_a_clean_one_does_not(stub: Any, demand: Any) -> None:
    assert value(stub, reference()) == 0
    assert stub.IsActive(reference()).result is False
    assert value(stub, reference(emissionThreshold="2000")) == 50
    assert stub.IsActive(reference(emissionThreshold="2000")).result is True
    assert set(demand.queries) == {'sum(queue{exported_namespace="shop",name="reports"})'}


def test_the_namespace_in_a_query_is_the_scaled_objects_own(stub: Any, demand: Any) -> None:
    value(stub, reference("bank", "loans", workload="loan-queue"))
    assert demand.queries == ['sum(queue{exported_namespace="bank",name="loan-queue"})']


def test_the_spec_is_the_target_and_its_stream_begins_with_it(stub: Any) -> None:
    answer = stub.GetMetricSpec(reference(target="2.5"))
    [spec] = answer.metricSpecs
    assert (spec.metricName, spec.targetSize, spec.targetSizeFloat) == (
        "wattribute-intensity",
        2,
        2.5,
    )
    stream = stub.StreamMetricSpec(reference(target="2.5"))
    assert next(stream) == answer
    stream.cancel()


def test_a_stream_says_when_activity_changes(stub: Any, demand: Any) -> None:
    stream = stub.StreamIsActive(reference(emissionThreshold="2000"))
    assert next(stream).result is True
    demand.value = 0.0
    assert next(stream).result is False
    stream.cancel()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"policy": "karbon"}, "must be one of intensity"),
        ({"emisionThreshold": "5"}, "did you mean emissionThreshold?"),
        ({"emissionThreshold": "low"}, "must be a number"),
        ({"region": "ATLANTIS"}, "no place that is known"),
        ({"region": ""}, "region: missing"),
        ({"query": "other"}, "no template 'other'"),
        ({"namespace": 'x"}'}, "is not the name of a namespace"),
    ],
)
def test_wrong_metadata_are_told_and_get_the_stated_replicas(
    stub: Any, change: dict[str, str], words: str, caplog: pytest.LogCaptureFixture
) -> None:
    ref = reference(**change)
    for call in (stub.IsActive, lambda one: next(stub.StreamIsActive(one))):
        with pytest.raises(grpc.RpcError) as caught:
            call(ref)
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert words in caught.value.details()
    assert words in caplog.text
    assert value(stub, ref) == 15
    assert stub.GetMetricSpec(ref).metricSpecs[0].targetSizeFloat == 5


def test_without_a_stated_count_wrong_metadata_get_none(stub: Any) -> None:
    ref = reference(failOpenReplicas="")
    for call in (stub.GetMetricSpec, lambda one: value(stub, one)):
        with pytest.raises(grpc.RpcError) as caught:
            call(ref)
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


_HTML = b"<html><body>502 Bad Gateway</body></html>"


@pytest.mark.parametrize(
    "fault",
    [
        {"body": _HTML},
        {"status": 500},
        {"delay_s": 20.0},
        {"drip_s": 0.2},
        {"replace": {b'"carbonIntensity": ': b'"carbonIntensity": -'}},
        {"cut": True},
    ],
)
def test_a_carbon_source_that_lies_stalls_or_dies_gets_the_stated_replicas(
    stub: Any, apis: FakeCarbonApis, fault: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    for name, what in fault.items():
        setattr(apis.faults, name, what)
    assert value(stub, reference()) == 15
    answer, call = stub.IsActive.with_call(reference())
    assert answer.result is True
    assert call.code() is grpc.StatusCode.OK
    trailers = dict(call.trailing_metadata())
    assert trailers["wattribute-reason"].startswith("fail_open: electricity-maps")
    assert "reason=fail_open" in caplog.text


def test_when_prometheus_is_away_the_last_demand_counts_and_without_one_the_stated_count(
    stub: Any, demand: Any
) -> None:
    clean = reference(emissionThreshold="2000")
    assert value(stub, clean) == 50
    demand.value = None
    assert value(stub, clean) == 50
    assert value(stub, reference(name="new", emissionThreshold="2000")) == 15


def test_health_is_served(stub: Any) -> None:
    for name in ("", "externalscaler.ExternalScaler"):
        answer = stub.health.Check(health_pb2.HealthCheckRequest(service=name))
        assert answer.status == health_pb2.HealthCheckResponse.SERVING


def test_more_scaled_objects_than_allowed_are_refused(
    apis: FakeCarbonApis,
    demand: Any,
    tmp_path: Path,
    watching: Callable[..., Any],
    serving: Callable[[ScalingEngine, ScalerSettings], AbstractContextManager[int]],
) -> None:
    room = ScalerSettings(listen="127.0.0.1:0", queries=QUERIES, max_objects=2)
    engine = ScalingEngine(room, demand, watching(grid(apis, tmp_path)))
    with serving(engine, room) as port, grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = pb2_grpc.ExternalScalerStub(channel)
        for name in ("a", "b"):
            stub.IsActive(reference(name=name))
        with pytest.raises(grpc.RpcError) as caught:
            stub.IsActive(reference(name="c"))
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "scaler.max_objects" in caught.value.details()


def _certificate(folder: Path, name: str) -> tuple[bytes, bytes]:
    key, cert = folder / f"{name}.key", folder / f"{name}.crt"
    subprocess.run(
        (
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes "
            f"-keyout {key} -out {cert} -days 1 -subj /CN={name} "
            "-addext subjectAltName=DNS:localhost"
        ).split(),
        check=True,
        capture_output=True,
    )
    return key.read_bytes(), cert.read_bytes()


def test_with_tls_only_callers_with_a_signed_certificate_are_served(
    apis: FakeCarbonApis,
    demand: Any,
    tmp_path: Path,
    watching: Callable[..., Any],
    serving: Callable[[ScalingEngine, ScalerSettings], AbstractContextManager[int]],
) -> None:
    _, server_cert = _certificate(tmp_path, "server")
    client_key, client_cert = _certificate(tmp_path, "keda")
    room = ScalerSettings(
        listen="127.0.0.1:0",
        queries=QUERIES,
        tls_cert=str(tmp_path / "server.crt"),
        tls_key=str(tmp_path / "server.key"),
        tls_client_ca=str(tmp_path / "keda.crt"),
    )
    engine = ScalingEngine(room, demand, watching(grid(apis, tmp_path)))
    with serving(engine, room) as port:
        known = grpc.ssl_channel_credentials(server_cert, client_key, client_cert)
        with grpc.secure_channel(f"localhost:{port}", known) as channel:
            assert pb2_grpc.ExternalScalerStub(channel).IsActive(reference()).result is False
        stranger = grpc.ssl_channel_credentials(server_cert)
        with (
            grpc.secure_channel(f"localhost:{port}", stranger) as channel,
            pytest.raises(grpc.RpcError) as caught,
        ):
            pb2_grpc.ExternalScalerStub(channel).IsActive(reference(), timeout=5)
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


def test_the_generated_code_is_that_of_the_proto() -> None:
    pytest.importorskip("grpc_tools", reason="needs grpcio-tools")
    from tools.build_proto import generated

    root = Path(__file__).parents[3]
    for path, text in generated(root).items():
        assert (root / path).read_text() == text, f"{path} is stale: make proto"
