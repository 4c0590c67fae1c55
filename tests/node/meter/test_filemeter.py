"""The cost of reading: what keeps a tick cheap."""

import time
from pathlib import Path

from wattribute.core.units import Nanoseconds
from wattribute.node.meter.rapl import RaplMeter
from wattribute_testing import FakeSysfs


def test_two_sockets_of_four_zones_cost_less_than_a_tenth_of_the_tick(tmp_path: Path) -> None:
    sysfs = FakeSysfs(tmp_path)
    for n in (0, 1):
        sysfs.rapl(f"intel-rapl:{n}", f"package-{n}")
        for part, name in enumerate(("core", "uncore", "dram")):
            sysfs.rapl(f"intel-rapl:{n}:{part}", name)
    meter = RaplMeter(sysfs.root)
    costs = []
    for _ in range(20):
        start_ns = time.thread_time_ns()
        assert len(meter.read(Nanoseconds(1))) == 8
        costs.append(time.thread_time_ns() - start_ns)

    assert min(costs) < 600_000  # a tick may cost 6 ms; the best of 20, for a busy machine
