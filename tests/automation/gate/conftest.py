from collections.abc import Callable

import numpy as np
import pytest

from wattribute.automation.gate.series import RunSeries

KEY = {"cpu": "Some CPU", "cpus": "4 of 4", "meters": "cpu=rapl-sysfs", "governor": "performance"}
Make = Callable[..., RunSeries]


@pytest.fixture
def make() -> Make:
    """A series of runs that scatter: ``make(mean, spread=0.01, runs=7, seed=1, **changes)``."""

    def made(
        mean: float, *, spread: float = 0.01, runs: int = 7, seed: int = 1, **changes: object
    ) -> RunSeries:
        factors = np.exp(np.random.default_rng(seed).normal(0, spread, runs)).tolist()
        given = {
            "name": "bench",
            "command": ("./bench",),
            "at": "2026-01-31T12:00:00+00:00",
            "revision": "abc123",
            "origin": "measured",
            "key": KEY,
            "runs": tuple(
                {"energy_j": mean * f, "cpu_s": mean * f / 10, "elapsed_s": 1.0} for f in factors
            ),
            "components": {"cpu": mean},
        }
        return RunSeries(**(given | changes))  # type: ignore[arg-type]

    return made
