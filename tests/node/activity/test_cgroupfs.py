"""Counters of cgroups: v1, v2, hybrid; cgroups that come and go."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from wattribute.core.errors import ActivityFailed
from wattribute.core.records import Cgroups, Topology
from wattribute.node.activity import folders
from wattribute.node.activity.cgroupfs import CgroupReader
from wattribute.node.activity.counters import Descriptors
from wattribute.node.activity.inotify import Watches
from wattribute_testing import FakeCgroupfs

ONE = Topology(("0",), np.zeros(2, np.int64), np.full(2, -1))
TWO = Topology(("0", "1"), np.array([0, 0, 1, 1]), np.full(4, -1))
VERSIONS: tuple[Literal["v2", "v1", "hybrid"], ...] = ("v2", "v1", "hybrid")


def row(cgroups: Cgroups, path: str) -> int:
    return cgroups.path.index(path)


def used(cgroups: Cgroups, path: str) -> int:
    return int(cgroups.cpu_ns[row(cgroups, path)].sum())


@pytest.fixture(params=[True, False], ids=["watched", "unwatched"])
def _watching(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if not request.param:
        monkeypatch.setattr(Watches, "add", lambda *_: -1)


pytestmark = pytest.mark.usefixtures("_watching")


@pytest.mark.parametrize("version", VERSIONS)
def test_the_first_read_says_minus_one_and_the_next_what_was_used(
    tmp_path: Path, version: Literal["v2", "v1", "hybrid"]
) -> None:
    cgroupfs = FakeCgroupfs(tmp_path, version).add("/a").add("/a/b")
    cgroupfs.use("/a/b", 5_000_000)
    cgroupfs.charge("/a/b", 4096)
    reader = CgroupReader(tmp_path, ONE)

    first = reader.read()
    cgroupfs.use("/a/b", 2_000_000)
    second = reader.read()

    assert reader.accounting == ("v2" if version == "v2" else "cpuacct")
    assert (first.cpu_ns == -1).all()
    assert [used(second, p) for p in ("/a", "/a/b")] == [2_000_000] * 2
    # On v2 the root's counter is no cgroup's: it counts interrupts, by sampled ticks.
    assert used(second, "/") == (-1 if version == "v2" else 2_000_000)
    assert second.memory_bytes[row(second, "/a/b")] == 4096
    assert second.id[row(second, "/a/b")] == cgroupfs.id("/a/b")
    assert second.parent[row(second, "/a/b")] == row(second, "/a")
    assert second.parent[row(second, "/")] == -1
    assert (np.diff(second.id.astype(np.int64)) > 0).all()
    assert second.generation == first.generation
    assert reader.id_of("/a/b") == cgroupfs.id("/a/b")
    assert reader.id_of("/nowhere") == 0


@pytest.mark.parametrize("version", VERSIONS)
def test_a_new_cgroup_counts_from_zero(
    tmp_path: Path, version: Literal["v2", "v1", "hybrid"]
) -> None:
    cgroupfs = FakeCgroupfs(tmp_path, version).add("/a")
    reader = CgroupReader(tmp_path, ONE)
    first = reader.read()

    cgroupfs.add("/a/new/deep").use("/a/new/deep", 3_000_000)
    second = reader.read()

    assert used(second, "/a/new/deep") == used(second, "/a/new") == used(second, "/a") == 3_000_000
    assert second.generation != first.generation


def test_a_removed_cgroup_is_shown_once_and_its_time_is_in_the_parent(tmp_path: Path) -> None:
    cgroupfs = FakeCgroupfs(tmp_path).add("/pod/c")
    reader = CgroupReader(tmp_path, ONE)
    number = cgroupfs.id("/pod/c")
    reader.read()

    cgroupfs.use("/pod/c", 7_000_000)
    cgroupfs.remove("/pod/c")
    second, third, fourth = reader.read(), reader.read(), reader.read()
    again = reader.read(np.array([number, 0], np.uint64))

    assert used(second, "/pod") == 7_000_000
    assert not second.alive[row(second, "/pod/c")]
    assert used(second, "/pod/c") == -1
    assert second.parent[row(second, "/pod/c")] == row(second, "/pod")
    assert "/pod/c" not in third.path
    assert len({second.generation, third.generation}) == 2
    assert third.generation == fourth.generation
    assert not again.alive[row(again, "/pod/c")]
    assert again.id[row(again, "/pod/c")] == number


def test_a_pod_that_goes_with_its_containers_is_shown_whole(tmp_path: Path) -> None:
    cgroupfs = FakeCgroupfs(tmp_path).add("/k/pod/c")
    reader = CgroupReader(tmp_path, ONE)
    ended = cgroupfs.id("/k/pod/c")
    reader.read()

    cgroupfs.remove("/k/pod")
    tables = [reader.read(), reader.read(np.array([ended], np.uint64))]

    for table in tables:
        assert table.parent[row(table, "/k/pod/c")] == row(table, "/k/pod")
        assert table.parent[row(table, "/k/pod")] == row(table, "/k")
        assert table.alive.sum() == 2


def test_one_goes_and_another_comes_in_the_same_interval(tmp_path: Path) -> None:
    cgroupfs = FakeCgroupfs(tmp_path).add("/a/old").add("/a/same").add("/a/kept")
    cgroupfs.use("/a/same", 9_000_000)
    reader = CgroupReader(tmp_path, ONE)
    reader.read()
    old_id = cgroupfs.id("/a/same")

    cgroupfs.add("/a/new").use("/a/new", 1_000_000)
    cgroupfs.remove("/a/old")
    (tmp_path / "a/same").rename(tmp_path.parent / f"{tmp_path.name}-keeps-the-inode")
    cgroupfs.add("/a/same").use("/a/same", 2_000_000)
    second = reader.read()

    assert used(second, "/a/new") == 1_000_000
    assert not second.alive[row(second, "/a/old")]
    same = [int(i) for i, p in zip(second.id, second.path, strict=True) if p == "/a/same"]
    assert sorted(same) == sorted([old_id, cgroupfs.id("/a/same")])
    living = [r for r, p in enumerate(second.path) if p == "/a/same" and second.alive[r]]
    assert second.cpu_ns[living].sum() == 2_000_000


def test_a_cgroup_that_lived_between_two_reads_is_known_by_its_hint(tmp_path: Path) -> None:
    cgroupfs = FakeCgroupfs(tmp_path).add("/pod")
    reader = CgroupReader(tmp_path, ONE)
    reader.read()

    reader.add(1 << 60, "/pod/short")
    reader.add(1 << 61, "/pod/short/inner")
    reader.add(cgroupfs.id("/pod"), "/pod")
    second = reader.read()

    assert second.parent[row(second, "/pod/short")] == row(second, "/pod")
    assert second.parent[row(second, "/pod/short/inner")] == row(second, "/pod/short")
    assert second.alive.tolist() == [p in ("/", "/pod") for p in second.path]
    assert "/pod/short" not in reader.read().path


def test_an_id_that_is_nowhere_does_no_harm(tmp_path: Path) -> None:
    FakeCgroupfs(tmp_path).add("/a")
    reader = CgroupReader(tmp_path, ONE)
    reader.read()

    assert sorted(reader.read(np.array([1 << 62], np.uint64)).path) == ["/", "/a"]


def test_v1_tells_the_package_where_there_are_several(tmp_path: Path) -> None:
    cgroupfs = FakeCgroupfs(tmp_path, "v1", cpus=4).add("/a")
    reader = CgroupReader(tmp_path, TWO)
    reader.read()

    cgroupfs.use("/a", 3, cpu=1)
    cgroupfs.use("/a", 40, cpu=2)
    cgroupfs.use("/a", 500, cpu=3)
    cgroups = reader.read()

    assert cgroups.cpu_ns[row(cgroups, "/a")].tolist() == [3, 540]


def test_below_a_parent_that_stands_still_nothing_is_lost(tmp_path: Path) -> None:
    cgroupfs = FakeCgroupfs(tmp_path).add("/a/b/c")
    reader = CgroupReader(tmp_path, ONE)
    reader.read()

    assert used(reader.read(), "/a/b/c") == 0
    assert used(reader.read(), "/a/b/c") == 0
    cgroupfs.use("/a/b/c", 1_000)
    assert used(reader.read(), "/a/b/c") == 1_000


@pytest.mark.parametrize(
    "text", ["", "rubbish\n", "usage_usec -5\n", "usage_usec\n", "usage_usec x\n"]
)
def test_a_counter_that_is_not_one_is_unknown_and_costs_no_other(tmp_path: Path, text: str) -> None:
    cgroupfs = FakeCgroupfs(tmp_path).add("/bad").add("/good")
    reader = CgroupReader(tmp_path, ONE)
    reader.read()

    cgroupfs.use("/good", 1_000)
    (tmp_path / "bad/cpu.stat").write_text(text)
    cgroups = reader.read()

    assert used(cgroups, "/bad") == -1
    assert used(cgroups, "/good") == 1_000


def test_a_counter_that_fell_is_unknown_once(tmp_path: Path) -> None:
    cgroupfs = FakeCgroupfs(tmp_path, "v1").add("/a")
    cgroupfs.use("/a", 1_000)
    reader = CgroupReader(tmp_path, ONE)
    reader.read()

    cgroupfs.use("/a", -600)
    assert used(reader.read(), "/a") == -1
    cgroupfs.use("/a", 50)
    assert used(reader.read(), "/a") == 50


def test_names_may_be_any_bytes(tmp_path: Path) -> None:
    cgroupfs = FakeCgroupfs(tmp_path)
    for name in (b'q"uote', b"back\\slash", b"new\nline", b"not-utf8-\xff", "käfer".encode()):
        cgroupfs.add("/" + os.fsdecode(name))
    cgroups = CgroupReader(tmp_path, ONE).read()

    assert set(cgroups.path) >= {"/not-utf8-\\xff", "/käfer", "/new\nline"}
    for path in cgroups.path:
        path.encode()


def test_without_descriptors_to_spare_everything_is_still_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Descriptors, "open", lambda *_: -1)
    cgroupfs = FakeCgroupfs(tmp_path).add("/a")
    cgroupfs.charge("/a", 77)
    reader = CgroupReader(tmp_path, ONE)
    reader.read()
    cgroupfs.use("/a", 1_000)
    cgroups = reader.read()
    cgroupfs.remove("/a")

    assert used(cgroups, "/a") == 1_000
    assert cgroups.memory_bytes[row(cgroups, "/a")] == 77
    assert not reader.read().alive.all()


def test_a_cgroup_that_is_renamed_keeps_its_counter(tmp_path: Path) -> None:
    cgroupfs = FakeCgroupfs(tmp_path, "v1").add("/a/old/in")
    reader = CgroupReader(tmp_path, ONE)
    first = reader.read()

    cgroupfs.use("/a/old/in", 1_000)
    cgroupfs.folder("/a/old").rename(cgroupfs.folder("/a/new"))
    second = reader.read()

    assert used(second, "/a/new") == used(second, "/a/new/in") == 1_000
    assert second.alive.all()
    assert len(second.path) == len(first.path)
    assert second.generation != first.generation
    assert reader.id_of("/a/new/in") == second.id[row(second, "/a/new/in")]


def test_when_notices_are_lost_everything_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cgroupfs = FakeCgroupfs(tmp_path).add("/a/b")
    reader = CgroupReader(tmp_path, ONE)
    reader.read()
    cgroupfs.add("/a/new")
    cgroupfs.remove("/a/b")
    monkeypatch.setattr(Watches, "changed", lambda *_: (set(), True))

    assert reader.read().alive.tolist().count(False) == 1
    assert reader.id_of("/a/new") == cgroupfs.id("/a/new")


def test_too_many_cgroups_are_left_out_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "_MOST", 3)
    cgroupfs = FakeCgroupfs(tmp_path).add("/a").add("/b").add("/c")
    reader = CgroupReader(tmp_path, ONE)

    assert len(reader.read().id) == 3
    assert reader.dropped == 1
    for path in ("/a", "/b", "/c"):
        cgroupfs.remove(path)
    reader.read()
    assert reader.read().path == ("/",)


def test_a_folder_without_cgroups_has_none(tmp_path: Path) -> None:
    reader = CgroupReader(tmp_path / "missing", ONE)

    assert reader.accounting == "none"
    assert reader.read().path == ()


def test_a_hierarchy_that_vanishes_fails_and_recovers(tmp_path: Path) -> None:
    root = tmp_path / "cgroup"
    FakeCgroupfs(root).add("/a")
    reader = CgroupReader(root, ONE)
    reader.read()

    root.rename(tmp_path / "away")
    with pytest.raises(ActivityFailed, match="cgroup"):
        reader.read(np.array([5], np.uint64))
    (tmp_path / "away").rename(root)

    assert reader.read().path == ("/", "/a")


@pytest.fixture(params=["cpuacct", "unified", "."])
def real_cgroup(request: pytest.FixtureRequest) -> Iterator[tuple[CgroupReader, Path, str]]:
    base = Path("/sys/fs/cgroup") / request.param
    if not (base / "cgroup.procs").exists():
        pytest.skip(f"no cgroup hierarchy at {base}")
    cpus = max(int(p.name[3:]) for p in Path("/sys/devices/system/cpu").glob("cpu[0-9]*")) + 1
    reader = CgroupReader(base, Topology(("0",), np.zeros(cpus, np.int64), np.full(cpus, -1)))
    folder = base / f"wattribute-test-{os.getpid()}"
    if os.geteuid() != 0:
        pytest.skip("making a cgroup needs root")
    reader.read()
    try:
        folder.mkdir()
    except OSError as exc:
        pytest.skip(f"{base}: no cgroup can be made here: {exc}")
    yield reader, folder, f"/{folder.name}"
    for path in (*folder.glob("*/"), folder):
        if path.is_dir():
            path.rmdir()


@pytest.mark.root
def test_a_real_cgroup_is_born_works_and_dies(real_cgroup: tuple[CgroupReader, Path, str]) -> None:
    reader, folder, path = real_cgroup
    born = reader.read()
    child = os.fork()
    if child == 0:
        (folder / "cgroup.procs").write_text(str(os.getpid()))
        until = time.process_time() + 0.05
        while time.process_time() < until:
            pass
        os._exit(0)
    os.waitpid(child, 0)
    worked = reader.read()
    number = folder.stat().st_ino
    folder.rmdir()
    dead = reader.read()
    folder.mkdir()

    assert born.id[row(born, path)] == number
    assert 50_000_000 <= used(worked, path) < 200_000_000
    assert not dead.alive[row(dead, path)]
