"""The state file: whatever is in it, the agent starts; and never below what was shown."""

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wattribute.core.errors import StateInvalid
from wattribute.core.files import draft_of
from wattribute_testing.rig import Rig, joules_of
from wattribute_testing.strength import examples

SECOND = 1_000_000_000
J = 1_000_000
ID = "a" * 64
DOCKER = f"/docker/{ID}"


def saved(folder: Path, **options: Any) -> Rig:
    rig = Rig(folder, state=folder / "state", **options)
    rig.tick()
    rig.activity.ran(7, DOCKER, SECOND)
    rig.tick(package_j=150, dram_j=60)
    return rig


def again(rig: Rig, folder: Path, **options: Any) -> Rig:
    return Rig(folder, state=folder / "state", clock=rig.clock, **options)


def paths(tree: object, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    if isinstance(tree, dict):
        for key, value in tree.items():
            found += paths(value, (*path, key))
    elif isinstance(tree, list):
        for index, value in enumerate(tree):
            found += paths(value, (*path, index))
    return found


@settings(max_examples=examples(120), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_file_with_anything_in_it_is_used_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.getbasetemp() / "fuzzed"
    if not (folder / "whole").exists():
        folder.mkdir()
        saved(folder, processes=True, given=lambda _: None)
        (folder / "state").rename(folder / "whole")
    tree = json.loads((folder / "whole").read_bytes())
    *above, last = data.draw(st.sampled_from(paths(tree)))
    target = tree
    for key in above:
        target = target[key]
    target[last] = data.draw(
        st.sampled_from(
            [None, -1, 0, 1, 2**62, 2**63, 2**64 - 1, 10**30, 1.5, 1e300, "", "x", [], {}, [[]]]
        )
    )
    (folder / "state").write_text(json.dumps(tree))
    rig = Rig(folder, state=folder / "state", processes=True, given=lambda _: None)

    with suppress(StateInvalid):
        rig.monitor.resume()
    rig.tick(package_j=10)
    rig.activity.ran(7, DOCKER, SECOND)
    rig.tick(package_j=10)


def test_an_agent_that_saved_before_it_measured_anything_starts_again(tmp_path: Path) -> None:
    rig = Rig(tmp_path, state=tmp_path / "state")
    rig.tick()
    for zone in ("intel-rapl:0", "intel-rapl:0:0"):
        rig.sysfs.write_raw(f"class/powercap/{zone}/energy_uj", b"")
    rig.activity.ran(7, DOCKER, SECOND)
    rig.tick()
    for zone in ("intel-rapl:0", "intel-rapl:0:0"):
        rig.sysfs.energy(zone, 0)
    resumed = again(rig, tmp_path)
    resumed.monitor.resume()
    resumed.tick()
    resumed.activity.ran(7, DOCKER, SECOND)

    assert joules_of(resumed.tick(package_j=150), container_id=ID) == pytest.approx(100)


def test_energy_that_waits_for_who_ran_survives_a_kill(tmp_path: Path) -> None:
    rig = saved(tmp_path)
    rig.activity.fail_next = True
    rig.tick(package_j=70)
    for _ in range(3):  # each is killed after its first tick, in which nobody says who ran
        rig = again(rig, tmp_path)
        rig.monitor.resume()
        rig.tick(package_j=30)
    snapshot = rig.tick(package_j=20)

    assert snapshot
    assert snapshot.node.energy_uj.sum() == (150 + 60 + 70 + 3 * 30 + 20) * J


def test_a_state_that_cannot_be_kept_up_to_date_is_not_resumed(tmp_path: Path) -> None:
    rig = saved(tmp_path)
    resumed = again(rig, tmp_path)
    draft_of(tmp_path / "state").mkdir()  # as on a file system that is read-only now

    with pytest.raises(StateInvalid, match="cannot be written"):
        resumed.monitor.resume()


def test_within_one_boot_the_machine_is_the_same_whatever_it_is_called(tmp_path: Path) -> None:
    rig = saved(tmp_path)
    resumed = again(rig, tmp_path, machine="new-name-of-the-pod")
    resumed.monitor.resume()
    resumed.tick()

    assert joules_of(resumed.tick(), container_id=ID) == pytest.approx(100 + 10)


def test_a_clock_that_was_set_back_does_not_spoil_the_next_resume(tmp_path: Path) -> None:
    rig = saved(tmp_path, given=lambda _: None)
    rig.clock.step_wall(-1e6)
    resumed = again(rig, tmp_path, given=lambda _: None)
    resumed.monitor.resume()
    resumed.tick(package_j=10)
    resumed.tick(package_j=10)
    third = again(rig, tmp_path, given=lambda _: None)
    third.monitor.resume()
    snapshot = third.tick(package_j=10)
    snapshot = third.tick(package_j=10)

    assert snapshot
    assert snapshot.node.energy_uj.sum() == (150 + 60 + 40) * J


def test_a_failure_that_stays_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rig = Rig(tmp_path, state=tmp_path / "missing/state")
    for _ in range(5):
        rig.tick(package_j=50)

    said = [record for record in caplog.records if "state not saved" in record.message]
    assert len(said) == 1
    (tmp_path / "missing").mkdir()
    rig.tick(package_j=50)
    os.rename(tmp_path / "missing", tmp_path / "moved")  # noqa: PTH104 - a folder, shortly said
    rig.tick(package_j=50)
    said = [record for record in caplog.records if "state not saved" in record.message]
    assert len(said) == 2


def test_processes_that_idle_over_two_restarts_keep_their_totals(tmp_path: Path) -> None:
    rig = saved(tmp_path, processes=True)
    for _ in range(2):
        rig = again(rig, tmp_path, processes=True)
        rig.monitor.resume()
        rig.tick()
        rig.tick(package_j=50)
    rig.activity.ran(7, DOCKER, SECOND)
    snapshot = rig.tick(package_j=150)

    assert snapshot
    process = snapshot.processes.pid.tolist().index(7)
    assert snapshot.processes.energy_uj[process].sum() == (110 + 100) * J
