import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest

from wattribute.automation.scaler.engine import ScalingEngine
from wattribute.automation.scaler.service import GrpcServer
from wattribute.automation.scaler.watch import CarbonWatch
from wattribute.automation.settings import ScalerSettings
from wattribute.core.errors import SourceFailed


class Demand:
    """PromQL to a number that the test sets; None: Prometheus is away."""

    def __init__(self) -> None:
        self.value: float | None = 50.0
        self.queries: list[str] = []

    def __call__(self, query: str) -> float:
        self.queries.append(query)
        if self.value is None:
            raise SourceFailed("prometheus: cannot be asked")
        return self.value


@contextmanager
def served(engine: ScalingEngine, room: ScalerSettings) -> Iterator[int]:
    """gRPC in a thread; gives the port."""
    ready = threading.Event()
    ports: list[int] = []
    stops: list[Callable[[], object]] = []

    async def run() -> None:
        end, loop = asyncio.Event(), asyncio.get_running_loop()
        stops.append(lambda: loop.call_soon_threadsafe(end.set))
        server = GrpcServer(engine, room)
        await server.start()
        ports.append(server.port)
        ready.set()
        await end.wait()
        await server.stop()

    thread = threading.Thread(target=asyncio.run, args=(run(),))
    engine.start()
    thread.start()
    try:
        assert ready.wait(10)
        yield ports[0]
    finally:
        for stop in stops:
            stop()
        thread.join(10)
        engine.close()


@pytest.fixture
def demand() -> Demand:
    return Demand()


@pytest.fixture
def serving() -> Callable[[ScalingEngine, ScalerSettings], AbstractContextManager[int]]:
    return served


@pytest.fixture
def watching() -> Iterator[Callable[..., CarbonWatch]]:
    """Makes watches that end with the test."""
    made: list[CarbonWatch] = []

    def watch(grid: Any, **more: Any) -> CarbonWatch:
        made.append(CarbonWatch(grid, **{"refresh_s": 0.1, "stale_s": 300.0, **more}))
        return made[-1]

    yield watch
    for one in made:
        one.close()
