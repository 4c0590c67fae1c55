"""Container rows: who they are, since when, until when (design section 9, rules 2 and 3)."""

from pathlib import Path

import numpy as np
import pytest

from wattribute.core.records import Snapshot, Workload
from wattribute_testing.rig import Rig, joules_of, row_of

SECOND = 1_000_000_000
J = 1_000_000
ID = "a" * 64
DOCKER = f"/docker/{ID}"
WEB = Workload(pod="web", namespace="shop", container="app")


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    rig = Rig(tmp_path)
    rig.tick()
    return rig


def published(snapshot: Snapshot | None) -> dict[tuple[str, str], int]:
    """What Prometheus sees of containers: by id and pod name; of two the newer row."""
    assert snapshot
    table = snapshot.containers
    energy_uj = np.where(table.held, 0, table.energy_uj.sum(axis=(1, 2)))
    order = np.argsort([consumer.uid for consumer in table.consumers])
    return {
        (table.consumers[row].container_id, table.consumers[row].pod_name): int(energy_uj[row])
        for row in order
    }


def test_a_container_that_is_started_again_goes_on_where_it_was(rig: Rig) -> None:
    rig.activity.ran(7, DOCKER, SECOND)
    rig.tick(package_j=150)
    rig.activity.remove(DOCKER)
    for _ in range(4):
        rig.tick(package_j=50)
    rig.activity.ran(8, DOCKER, SECOND)
    snapshot = rig.tick(package_j=150)

    assert joules_of(snapshot, container_id=ID) == pytest.approx(200)
    assert snapshot
    assert snapshot.containers.alive[row_of(snapshot, container_id=ID)]
    assert published(snapshot)[ID, ""] == 200 * J


def test_a_late_word_of_a_process_does_not_begin_its_container_anew(rig: Rig) -> None:
    rig.activity.ran(7, DOCKER, SECOND)
    rig.tick(package_j=150)
    rig.activity.remove(DOCKER)
    rig.tick(package_j=50)
    rig.activity.ran(7, DOCKER, SECOND // 100, alive=False)
    rig.activity.remove(DOCKER)
    snapshot = rig.tick(package_j=150)

    assert joules_of(snapshot, container_id=ID) == pytest.approx(200)
    assert snapshot
    assert not snapshot.containers.alive[row_of(snapshot, container_id=ID)]


def test_a_name_that_comes_after_the_end_of_a_short_container_is_its_name(rig: Rig) -> None:
    for _ in range(3):
        rig.tick(package_j=50)
    rig.activity.ran(7, DOCKER, SECOND)
    rig.tick(package_j=150)
    rig.activity.remove(DOCKER)
    rig.tick(package_j=50)
    rig.names.known = {ID: WEB}
    rig.tick(package_j=50)
    snapshot = rig.tick(package_j=50, seconds=35)

    assert published(snapshot)[ID, "web"] == 100 * J
    assert (ID, "") not in published(snapshot)


def test_a_name_that_comes_after_the_end_of_a_known_series_changes_nothing(rig: Rig) -> None:
    rig.activity.ran(7, DOCKER, SECOND)
    rig.tick(package_j=150)
    rig.activity.remove(DOCKER)
    rig.tick(package_j=50)
    rig.names.known = {ID: WEB}
    snapshot = rig.tick(package_j=50)

    assert {key for key in published(snapshot) if key[0] == ID} == {(ID, "")}


def test_a_series_that_was_shown_with_joules_is_never_renamed(rig: Rig) -> None:
    rig.activity.ran(7, DOCKER, SECOND)
    assert published(rig.tick(package_j=150))[ID, ""] == 100 * J
    rig.names.known = {ID: WEB}
    rig.activity.ran(7, DOCKER, SECOND)
    rig.tick(package_j=150)
    rig.activity.ran(7, DOCKER, SECOND)
    snapshot = rig.tick(package_j=150)

    assert published(snapshot)[ID, ""] == 200 * J
    assert joules_of(snapshot, container_id=ID, pod_name="web") == pytest.approx(100)


def test_a_nameless_row_that_was_resumed_is_never_renamed(tmp_path: Path) -> None:
    rig = Rig(tmp_path, state=tmp_path / "state")
    rig.tick()
    rig.activity.ran(7, DOCKER, SECOND)
    rig.tick(package_j=150)
    again = Rig(tmp_path, state=tmp_path / "state", clock=rig.clock)
    again.monitor.resume()
    again.names.known = {ID: WEB}
    again.tick()
    again.activity.ran(7, DOCKER, SECOND)
    snapshot = again.tick(package_j=150)

    assert published(snapshot)[ID, ""] >= 100 * J
    assert published(snapshot)[ID, "web"] == 0


def test_a_consumer_of_the_third_tick_is_held_one_of_the_second_is_not(rig: Rig) -> None:
    rig.activity.ran(7, DOCKER, SECOND)
    assert not held(rig.tick(package_j=150), ID)
    rig.activity.ran(8, f"/docker/{'b' * 64}", SECOND)
    assert held(rig.tick(package_j=150), "b" * 64)


def held(snapshot: Snapshot | None, container_id: str) -> bool:
    assert snapshot
    return bool(snapshot.containers.held[row_of(snapshot, container_id=container_id)])
