"""A recorded run: written, read back, and played in its own time."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wattribute.core.errors import ConfigInvalid, MeterFailed, MeterGone
from wattribute.core.records import Counter, Gauge, Reading, Zone
from wattribute.core.units import Microjoules, Microwatts, Nanoseconds, nanoseconds
from wattribute.node.meter.rapl import RaplMeter
from wattribute.node.meter.recording import record
from wattribute.node.meter.replay import ReplayMeter
from wattribute_testing import FakeSysfs

PACKAGE = Zone("package", "0", "rapl-sysfs", "0")
PLATFORM = Zone("platform", "0", "acpi")
HEAD = (
    '{"format":"wattribute-run","version":1,"zones":'
    '[{"kind":"package","id":"0","source":"rapl-sysfs","form":"counter"}]}\n'
)


def at(seconds: float) -> Nanoseconds:
    return nanoseconds(seconds)


def test_what_was_recorded_is_played_at_the_same_distances(tmp_path: Path) -> None:
    sysfs = FakeSysfs(tmp_path / "sys").rapl("intel-rapl:0", "package-0", 0)
    meter = RaplMeter(sysfs.root)
    rounds = []
    for second in range(4):
        sysfs.energy("intel-rapl:0", second * 25_000_000)
        rounds.append((at(100 + second), meter.read(at(100 + second))))

    assert record(tmp_path / "run", rounds) == 4
    replay = ReplayMeter(tmp_path / "run")

    assert replay.zones == meter.zones
    for second in range(4):
        (reading,) = replay.read(at(7000.2 + second))
        (recorded,) = rounds[second][1]
        assert (reading.zone, reading.value) == (recorded.zone, recorded.value)
        assert reading.at_ns == at(7000.2 + second)
    with pytest.raises(MeterGone, match="is over"):
        replay.read(at(7003.3))


def test_between_two_instants_the_earlier_one_stands(tmp_path: Path) -> None:
    (tmp_path / "run").write_text(HEAD + '{"t_ns":5,"values":[1]}\n{"t_ns":15,"values":[2]}\n')
    replay = ReplayMeter(tmp_path / "run")

    values = [r.value for t in (100, 109, 110) for r in replay.read(Nanoseconds(t))]

    assert [v.energy_uj for v in values if isinstance(v, Counter)] == [1, 1, 2]


def test_powers_keep_what_they_mean(tmp_path: Path) -> None:
    values = {
        PLATFORM: Gauge(Microwatts(5), averaged=True),
        PACKAGE: Gauge(Microwatts(6)),
    }
    readings = [Reading(zone, at(0), value) for zone, value in values.items()]
    record(tmp_path / "run", [(at(0), readings), (at(1), readings[:1])])

    replay = ReplayMeter(tmp_path / "run")

    assert {r.zone: r.value for r in replay.read(at(9))} == {
        PLATFORM: values[PLATFORM],
        PACKAGE: values[PACKAGE],
    }
    assert [r.zone for r in replay.read(at(10))] == [PLATFORM]
    assert replay.problems == ("package 0: could not be read in the recorded run",)


def test_an_instant_without_any_value_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "run").write_text(HEAD + '{"t_ns":0,"values":[null]}\n')

    with pytest.raises(MeterFailed, match="no value at t_ns 0"):
        ReplayMeter(tmp_path / "run").read(at(0))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "line 1"),
        ("{}\n", "line 1: Object missing required field"),
        (HEAD, "nothing was recorded"),
        (HEAD.replace('"version":1', '"version":2'), "wattribute-run 2; plays wattribute-run 1"),
        (HEAD + "rubbish\n", "line 2: JSON is malformed"),
        (HEAD + '{"t_ns":0,"values":[1,2]}\n', "line 2: 2 values for 1 zones"),
        (HEAD + '{"t_ns":0,"values":[-1]}\n', "line 2: a value is negative"),
        (HEAD + '{"t_ns":0,"values":[1]}\n' * 2, "line 3: t_ns 0 is not after 0"),
    ],
)
def test_a_file_that_is_no_run_says_in_which_line(
    content: str, message: str, tmp_path: Path
) -> None:
    (tmp_path / "run").write_text(content)

    with pytest.raises(ConfigInvalid, match=message):
        ReplayMeter(tmp_path / "run")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid, match=r"meter\.replay: .*No such file"):
        ReplayMeter(tmp_path / "none")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=200), with_head=st.booleans())
def test_any_file_plays_or_is_refused(
    content: bytes,
    with_head: bool,  # noqa: FBT001 - drawn by Hypothesis
    tmp_path: Path,
) -> None:
    (tmp_path / "run").write_bytes(HEAD.encode() * with_head + content)
    try:
        replay = ReplayMeter(tmp_path / "run")
    except ConfigInvalid:
        return
    assert list(replay.read(at(0))) or replay.problems


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(energies=st.lists(st.integers(0, 2**63 - 1), min_size=1, max_size=20))
def test_every_counter_value_survives(energies: list[int], tmp_path: Path) -> None:
    rounds = [
        (at(n), [Reading(PACKAGE, at(n), Counter(Microjoules(e), Microjoules(2**40)))])
        for n, e in enumerate(energies)
    ]
    record(tmp_path / "run", rounds)
    replay = ReplayMeter(tmp_path / "run")

    assert [next(iter(replay.read(at(n)))) for n in range(len(energies))] == [
        r[0] for _, r in rounds
    ]
