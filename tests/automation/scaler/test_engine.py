"""First decisions are shared by all that wait for them, and cost one thread."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import wait
from typing import TYPE_CHECKING, cast

import pytest

from wattribute.automation.scaler.engine import Reference, ScalingEngine, TriggerState
from wattribute.automation.scaler.keda import externalscaler_pb2 as pb2
from wattribute.automation.scaler.service import ScalerService
from wattribute.automation.scaler.signals import Signals
from wattribute.automation.settings import ScalerSettings

if TYPE_CHECKING:
    import grpc

METADATA = {
    "policy": "intensity",
    "query": "queue",
    "target": "5",
    "failOpenReplicas": "3",
    "region": "DE",
    "emissionThreshold": "10",
}
SETTINGS = ScalerSettings(queries={"queue": 'sum(queue{exported_namespace="$namespace"})'})
REFERENCE = Reference.of("shop", "reports", METADATA)


class CleanGrid:
    """Every place emits next to nothing."""

    def signals(self, place: str, *, forecast: bool = False, wait_s: float = 0.0) -> Signals:  # noqa: ARG002
        return Signals(g_per_kwh=1.0)


class SlowDemand:
    """Prometheus, which answers when the test lets it."""

    def __init__(self) -> None:
        self.answers = threading.Event()
        self.questions = 0
        self.broken = False

    def __call__(self, query: str) -> float:  # noqa: ARG002
        self.questions += 1
        assert self.answers.wait(10)
        if self.broken:
            raise RuntimeError("our bug")
        return 50.0


class CountingEngine(ScalingEngine):
    """An engine that counts how often an object is looked up."""

    lookups = 0

    def find(self, reference: Reference) -> TriggerState:
        self.lookups += 1
        return super().find(reference)


@pytest.fixture
def demand() -> SlowDemand:
    return SlowDemand()


@pytest.fixture
def engine(demand: SlowDemand) -> Iterator[CountingEngine]:
    made = CountingEngine(SETTINGS, demand, CleanGrid())
    yield made
    demand.answers.set()
    made.close()


def test_many_callers_wait_for_one_first_decision_and_hold_no_thread(
    engine: ScalingEngine, demand: SlowDemand
) -> None:
    """More callers than the pool has threads: another object must still get its own thread."""
    busy = engine.find(REFERENCE)
    waiting = {id(engine.first(busy)) for _ in range(100)}
    other = engine.find(Reference.of("shop", "other", METADATA))
    demand.answers.set()

    wait([engine.first(busy), engine.first(other)], 10)

    assert len(waiting) == 1
    assert demand.questions == 2
    for scaled in (busy, other):
        assert scaled.decision is not None
        assert scaled.decision.value == 50


def test_a_first_decision_that_failed_is_tried_again(
    engine: ScalingEngine, demand: SlowDemand
) -> None:
    demand.answers.set()
    demand.broken = True
    scaled = engine.find(REFERENCE)
    wait([engine.first(scaled)], 10)
    assert scaled.decision is None

    demand.broken = False
    wait([engine.first(scaled)], 10)

    assert scaled.decision is not None


def test_a_call_of_keda_looks_its_object_up_once(
    engine: CountingEngine, demand: SlowDemand
) -> None:
    demand.answers.set()
    scaler = ScalerService(engine, first_s=10)
    named = pb2.ScaledObjectRef(namespace="shop", name="reports", scalerMetadata=METADATA)
    # No call here is aborted or fails open: the context, which is for those, is never touched.
    context = cast("grpc.aio.ServicerContext", None)

    asyncio.run(scaler.GetMetrics(pb2.GetMetricsRequest(scaledObjectRef=named), context))
    assert engine.lookups == 1
    asyncio.run(scaler.IsActive(named, context))
    assert engine.lookups == 2
