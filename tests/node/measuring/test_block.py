"""``wattribute.measure()``: blocks and functions of this process."""

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import wattribute
from wattribute.core.errors import ActivityFailed
from wattribute.core.records import Origin
from wattribute.node.settings import ActivitySettings, MeterSettings, NodeSettings
from wattribute_testing import FakeProcfs

ESTIMATED = NodeSettings(
    activity=ActivitySettings(source="procfs"), meter=MeterSettings(use=("estimate",))
)


def burn(seconds: float) -> int:
    end = time.process_time() + seconds
    turns = 0
    while time.process_time() < end:
        turns += 1
    return turns


def test_a_block_has_joules_by_component() -> None:
    with wattribute.measure(ESTIMATED) as m:
        burn(0.4)

    assert m.joules > 0
    assert m.measurement.cpu_ns == pytest.approx(0.4e9, rel=0.2)
    assert m.origin is Origin.ESTIMATED
    assert m.joules == pytest.approx(
        sum(part.dynamic_uj + part.idle_uj for part in m.by_component.values()) / 1e6
    )
    assert "estimated" in repr(m)


def test_children_of_a_block_are_counted_and_earlier_ones_are_not() -> None:
    child = [sys.executable, "-c", "import time\nwhile time.process_time() < 0.3: pass"]
    subprocess.run(child, check=True)
    with wattribute.measure(ESTIMATED) as m:
        subprocess.run(child, check=True)

    assert 0.29e9 < m.measurement.cpu_ns < 0.5e9


def test_as_a_decorator_each_call_is_measured() -> None:
    @wattribute.measure(ESTIMATED, g_per_kwh=400)
    def work(seconds: float) -> int:
        """Work."""
        return burn(seconds)

    assert work(0.2) > 0
    first = work.measurement  # type: ignore[attr-defined]
    work(0.2)

    assert work.__doc__ == "Work."
    assert first is not work.measurement  # type: ignore[attr-defined]
    assert first.grams_co2e == pytest.approx(first.joules * 400 / 3.6e6)


def test_as_a_decorator_it_measures_coroutines_to_their_end() -> None:
    @wattribute.measure(ESTIMATED)
    async def work(seconds: float) -> int:
        await asyncio.sleep(0)
        return burn(seconds)

    assert asyncio.iscoroutinefunction(work)
    assert asyncio.run(work(0.2)) > 0
    assert work.measurement.cpu_ns > 0.19e9  # type: ignore[attr-defined]


def test_as_a_decorator_a_call_that_fails_is_measured_too() -> None:
    @wattribute.measure(ESTIMATED)
    def work() -> None:
        burn(0.1)
        raise KeyError("mine")

    with pytest.raises(KeyError):
        work()
    assert work.measurement.cpu_ns > 0.09e9  # type: ignore[attr-defined]


def test_blocks_may_lie_in_each_other_and_side_by_side() -> None:
    def side(seconds: float) -> None:
        with wattribute.measure(ESTIMATED):
            burn(seconds)

    with wattribute.measure(ESTIMATED) as outer:
        thread = threading.Thread(target=side, args=(0.1,))
        thread.start()
        with wattribute.measure(ESTIMATED) as inner:
            burn(0.1)
        thread.join()

    assert 0 < inner.joules <= outer.joules


def test_a_block_whose_end_cannot_be_measured_leaves_nothing_open(tmp_path: Path) -> None:
    procfs = FakeProcfs(tmp_path, cpus=2)
    settings = NodeSettings(
        activity=ActivitySettings(source="procfs", procfs=str(procfs.root)),
        meter=MeterSettings(use=("estimate",)),
    )
    m = wattribute.measure(settings)
    with pytest.raises(ActivityFailed), m:
        (procfs.root / "stat").write_text("junk")
    procfs.run_cpu(0, user=1)
    with m:
        pass

    assert m.joules >= 0


def test_an_exception_passes_through_and_the_energy_is_kept() -> None:
    m = wattribute.measure(ESTIMATED)
    with pytest.raises(KeyError), m:
        raise KeyError("mine")

    assert m.joules >= 0


def test_reading_it_too_early_says_what_to_do() -> None:
    m = wattribute.measure(ESTIMATED)

    assert repr(m) == "<measure: not ended>"
    with pytest.raises(RuntimeError, match="after the with block"):
        _ = m.joules
    with m, pytest.raises(RuntimeError, match="in use"), m:
        pass


def test_a_decorator_without_brackets_says_so_instead_of_swallowing_the_function() -> None:
    with pytest.raises(TypeError, match=r"@wattribute\.measure\(\), with brackets"):
        wattribute.measure(burn)  # type: ignore[arg-type]


def test_a_generator_is_refused_for_its_call_does_no_work() -> None:
    def numbers() -> Iterator[int]:
        yield burn(0.1)

    with pytest.raises(TypeError, match="numbers is a generator"):
        wattribute.measure(ESTIMATED)(numbers)


@pytest.mark.parametrize("intensity", [-1.0, float("nan"), float("inf")])
def test_an_impossible_carbon_intensity_is_refused(intensity: float) -> None:
    with pytest.raises(ValueError, match="grams"):
        wattribute.measure(ESTIMATED, g_per_kwh=intensity)


def test_importing_the_package_is_cheap() -> None:
    code = "import sys, wattribute; sys.exit('numpy' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_what_measuring_itself_costs_is_hardly_in_it() -> None:
    """Opening the meters takes some 10 ms of CPU time; of six blocks the luckiest is looked at."""
    used_ns = []
    for _ in range(6):
        with wattribute.measure(ESTIMATED) as m:
            pass
        used_ns.append(m.measurement.cpu_ns)

    assert min(used_ns) < 3_000_000
