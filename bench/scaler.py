"""How long KEDA waits for the scaler: four calls over a real channel, 500 ScaledObjects known."""

import asyncio
import random
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

from bench.figure import Figure, at_most, shown, unmeasured

SECTION: Final = "scaler"
_OBJECTS: Final = 500
_ROUNDS: Final = 4
_MOST_MS: Final = 5.0
_KINDS: Final = (
    {"policy": "intensity", "emissionThreshold": "300"},
    {"policy": "percentile", "percentile": "40"},
    {"policy": "power-cap", "watts": "500", "wattsPerReplica": "90"},
    {"policy": "carbon-budget", "gramsPerDay": "5000", "wattsPerReplica": "90"},
    {"policy": "deadline", "deadline": "2099-01-01T00:00:00Z", "unitsPerReplicaHour": "10"},
)


def run(_window_s: float) -> Iterator[Figure]:
    """Needs grpcio; decisions are made anew every 5 s meanwhile."""
    try:
        from wattribute.automation.scaler.engine import ScalingEngine  # noqa: PLC0415
        from wattribute.automation.scaler.service import GrpcServer  # noqa: PLC0415
    except ModuleNotFoundError as exc:
        yield unmeasured(SECTION, "calls", f"<= {_MOST_MS:g} ms p99", f"{exc.name}: make setup-all")
        return
    from wattribute.automation.settings import ScalerSettings  # noqa: PLC0415

    before_s = sys.getswitchinterval()
    sys.setswitchinterval(0.0005)  # as `scaler serve` does
    room = ScalerSettings(
        listen="127.0.0.1:0", queries={"queue": 'q{n="$namespace",w="$workload"}'}, refresh=5.0
    )
    engine = ScalingEngine(room, lambda _: random.uniform(0, 200), _Sky())  # noqa: S311 - no secret
    ready, end, ports = threading.Event(), threading.Event(), list[int]()

    async def serve() -> None:
        server = GrpcServer(engine, room)
        await server.start()
        ports.append(server.port)
        ready.set()
        while not end.is_set():  # noqa: ASYNC110 - another thread sets it
            await asyncio.sleep(0.05)
        await server.stop()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    engine.start()
    thread.start()
    try:
        ready.wait(10)
        yield from _measured(ports[0])
    finally:
        end.set()
        thread.join()
        engine.close()
        sys.setswitchinterval(before_s)


class _Sky:
    """A day of intensities, without a source."""

    def signals(self, place: str, *, forecast: bool = False, wait_s: float = 0.0) -> Any:  # noqa: ANN401, ARG002 - the protocol
        from wattribute.automation.scaler.signals import Ahead, Signals  # noqa: PLC0415

        now_s = time.time()
        hours = range(48) if forecast else range(0)
        return Signals(
            250.0,
            tuple(
                Ahead(now_s + 3600 * h, now_s + 3600 * (h + 1), 150 + 10 * (h % 24)) for h in hours
            ),
        )


def _measured(port: int) -> Iterator[Figure]:
    import grpc  # noqa: PLC0415

    from wattribute.automation.scaler.keda import externalscaler_pb2 as pb2  # noqa: PLC0415
    from wattribute.automation.scaler.keda import externalscaler_pb2_grpc as pb2_grpc  # noqa: PLC0415

    common = {"query": "queue", "target": "5", "failOpenReplicas": "3", "region": "DE"}
    references = [
        pb2.ScaledObjectRef(
            name=f"object-{number}",
            namespace=f"namespace-{number % 20}",
            scalerMetadata={**common, **_KINDS[number % len(_KINDS)]},
        )
        for number in range(_OBJECTS)
    ]
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = pb2_grpc.ExternalScalerStub(channel)
        first = sorted(_ms(stub.IsActive, one) for one in references)
        yield shown(SECTION, "first IsActive of a ScaledObject, median", first[len(first) // 2],
                    "ms", "decided at once; every later call is answered from memory")  # fmt: skip
        calls: dict[str, Callable[[Any], float]] = {
            "IsActive": lambda one: _ms(stub.IsActive, one),
            "GetMetricSpec": lambda one: _ms(stub.GetMetricSpec, one),
            "GetMetrics": lambda one: _ms(
                stub.GetMetrics, pb2.GetMetricsRequest(scaledObjectRef=one, metricName="m")
            ),
            "StreamIsActive, first message": lambda one: _stream_ms(stub, one),
        }
        for name, call in calls.items():
            taken = sorted(call(one) for _ in range(_ROUNDS) for one in references)
            yield at_most(
                SECTION, f"{name}, p99", taken[int(0.99 * len(taken))], most=_MOST_MS, unit="ms",
                note=f"{_OBJECTS} ScaledObjects, {len(taken)} calls, median "
                f"{taken[len(taken) // 2]:.2f} ms",
            )  # fmt: skip


def _ms(call: Callable[[Any], Any], request: Any) -> float:  # noqa: ANN401 - generated messages
    start = time.perf_counter()
    call(request)
    return 1e3 * (time.perf_counter() - start)


def _stream_ms(stub: Any, request: Any) -> float:  # noqa: ANN401
    start = time.perf_counter()
    stream = stub.StreamIsActive(request)
    next(stream)
    taken = 1e3 * (time.perf_counter() - start)
    stream.cancel()
    return taken
