"""Container names from the state files of docker and podman."""

import json
import logging
import os
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattribute.core.records import Workload
from wattribute.node.workload.engines import DockerNames, EngineNames, PodmanNames, open_engines
from wattribute_testing.waiting import wait_until

ID = "8f1c3f5b2d6e4a7098b1c2d3e4f5061728394a5b6c7d8e9f0a1b2c3d4e5f6071"
OTHER = ID[::-1]


def docker_says(folder: Path, container_id: str, text: str) -> None:
    (folder / container_id).mkdir(parents=True, exist_ok=True)
    (folder / container_id / "config.v2.json").write_text(text)


def podman_says(folder: Path, text: str, driver: str = "overlay") -> None:
    (folder / f"{driver}-containers").mkdir(parents=True, exist_ok=True)
    (folder / f"{driver}-containers/containers.json").write_text(text)


@pytest.fixture
def engines(tmp_path: Path) -> Iterator[EngineNames]:
    (tmp_path / "docker").mkdir()
    (tmp_path / "podman").mkdir()
    names, _ = open_engines(tmp_path / "docker", tmp_path / "podman")
    assert names is not None
    yield names
    names.close()


def eventually(names: EngineNames, container_id: str) -> Workload:
    return wait_until(lambda: names.lookup([container_id]))[container_id]


def test_docker_and_podman_names_are_found(tmp_path: Path, engines: EngineNames) -> None:
    docker_says(tmp_path / "docker", ID, json.dumps({"Name": "/web", "State": {"Pid": 1}}))
    podman_says(
        tmp_path / "podman", json.dumps([{"id": OTHER, "names": ["db"], "layer": "x"}]), "vfs"
    )

    assert eventually(engines, ID) == Workload(container="web")
    assert eventually(engines, OTHER) == Workload(container="db")


def test_lookup_never_waits_for_the_disk() -> None:
    release = threading.Event()

    class Slow(DockerNames):
        def describe(self, container_ids: Iterable[str]) -> dict[str, Workload]:
            release.wait(5)
            return dict.fromkeys(container_ids, Workload(container="late"))

    names = EngineNames([Slow(Path("/"))])
    start = time.monotonic()
    assert names.lookup([ID]) == {}
    assert names.lookup([ID]) == {}
    assert time.monotonic() - start < 1
    release.set()
    assert eventually(names, ID) == Workload(container="late")
    names.close()


def test_a_container_without_a_name_is_asked_for_ever_less_often() -> None:
    looks: list[float] = []
    now_s = [0.0]

    class Counting(DockerNames):
        def describe(self, container_ids: Iterable[str]) -> dict[str, Workload]:
            looks.extend(now_s[0] for _ in container_ids)
            return {}

    names = EngineNames([Counting(Path("/"))], clock_s=lambda: now_s[0])
    names.close()
    for second in range(400):
        now_s[0] = float(second)
        names.lookup([ID, "not-an-id", "../../etc/passwd"])
        names.look()

    assert looks == [0.0, 1.0, 6.0, 36.0, 336.0]


def test_what_nobody_asks_for_is_forgotten(tmp_path: Path) -> None:
    class Nameless(DockerNames):
        def describe(self, container_ids: Iterable[str]) -> dict[str, Workload]:
            looked_for.extend(container_ids)
            return {}

    looked_for: list[str] = []
    now_s = [0.0]
    names = EngineNames([Nameless(tmp_path)], clock_s=lambda: now_s[0])
    names.close()
    names.lookup([ID])
    names.look()
    now_s[0] = 600.0
    names.look()
    assert looked_for == [ID, ID]
    now_s[0] = 1000.0
    names.look()

    assert looked_for == [ID, ID]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"Name": 5}', '{"Name": ""}', "null"])
def test_a_broken_docker_file_is_no_name(tmp_path: Path, text: str) -> None:
    docker_says(tmp_path, ID, text)
    docker_says(tmp_path, OTHER, '{"Name":"/good"}')

    assert DockerNames(tmp_path).describe([ID, OTHER]) == {OTHER: Workload(container="good")}


@given(st.binary(max_size=64))
def test_a_broken_podman_file_is_no_names(text: bytes) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        podman_says(Path(folder), "")
        (Path(folder) / "overlay-containers/containers.json").write_bytes(text)
        assert PodmanNames(Path(folder)).describe([ID]) == {}


def test_podmans_file_is_read_again_when_it_changes(tmp_path: Path) -> None:
    podman = PodmanNames(tmp_path)
    podman_says(tmp_path, "[]")
    assert podman.describe([ID]) == {}
    podman_says(tmp_path, json.dumps([{"id": ID, "names": ["new"]}, {"id": OTHER, "names": None}]))
    # The clock of file systems moves every few milliseconds, and two writes may share an instant.
    os.utime(tmp_path / "overlay-containers/containers.json", (2e9, 2e9))

    assert podman.describe([ID, OTHER]) == {ID: Workload(container="new")}


def test_without_engines_there_is_no_source_of_names(tmp_path: Path) -> None:
    names, findings = open_engines(tmp_path / "docker", tmp_path / "podman")

    assert names is None
    assert [(f.name, f.state) for f in findings] == [("docker", "absent"), ("podman", "absent")]


def test_files_that_may_not_be_read_are_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(self: Path) -> Iterator[Path]:
        raise PermissionError(13, "Permission denied", str(self))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "iterdir", denied)
        names, findings = open_engines(tmp_path, tmp_path)
    assert names is None
    assert {f.state for f in findings} == {"denied"}
    assert "CAP_DAC_READ_SEARCH" in findings[0].message

    class Denied(DockerNames):
        def describe(self, container_ids: Iterable[str]) -> dict[str, Workload]:
            raise PermissionError(13, "Permission denied", str(list(container_ids)))

    now_s = [0.0]
    names = EngineNames([Denied(tmp_path)], clock_s=lambda: now_s[0])
    names.close()
    with caplog.at_level(logging.WARNING):
        for second in (0.0, 100.0, 200.0):
            now_s[0] = second
            names.lookup([ID])
            names.look()
    assert len(caplog.records) == 1
