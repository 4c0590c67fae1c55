"""Files that are written whole: through a crash, on a full disk, where somebody put a link."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from wattribute.core.files import draft_of, put_in_place, write_whole
from wattribute_testing.waiting import wait_until


def test_the_new_content_is_there_with_its_permissions_and_no_draft_is_left(
    tmp_path: Path,
) -> None:
    path = tmp_path / "state"
    path.write_bytes(b"old")
    path.chmod(0o666)

    write_whole(path, b"new", 0o600)

    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["state"]


def test_without_a_mode_the_umask_decides(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_whole(tmp_path / "file", b"")
    finally:
        os.umask(before)

    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o640


def test_the_file_is_on_disk_before_its_name_is_and_the_name_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    flush, rename = os.fsync, Path.rename

    def fsync(descriptor: int) -> None:
        steps.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        flush(descriptor)

    def renamed(draft: Path, path: Path) -> Path:
        steps.append("renamed")
        return rename(draft, path)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "rename", renamed)
    path = tmp_path / "file"
    write_whole(path, b"content")

    assert steps == [str(draft_of(path)), "renamed", str(tmp_path)]


@pytest.mark.parametrize("broken", ["write", "flush"])
def test_what_fails_leaves_the_old_file_and_no_draft(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no space left on device")

    if broken == "flush":
        monkeypatch.setattr(os, "fsync", full)
    else:
        monkeypatch.setattr(os, "fdopen", lambda descriptor, *_, **__: full(os.close(descriptor)))
    with pytest.raises(OSError, match="no space"):
        write_whole(path, b"new")

    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(("number", "fails"), [(errno.EINVAL, False), (errno.EIO, True)])
def test_a_file_system_that_cannot_flush_a_folder_is_written_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, *, fails: bool
) -> None:
    flush = os.fsync

    def fsync(descriptor: int) -> None:
        if Path(f"/proc/self/fd/{descriptor}").is_dir():
            raise OSError(number, os.strerror(number))
        flush(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    if fails:
        with pytest.raises(OSError, match="error"):
            write_whole(tmp_path / "file", b"content")
    else:
        write_whole(tmp_path / "file", b"content")

    assert (tmp_path / "file").read_bytes() == b"content"


def test_a_link_in_place_of_the_draft_is_not_followed(tmp_path: Path) -> None:
    path, victim = tmp_path / "file", tmp_path / "victim"
    victim.write_bytes(b"precious")
    draft_of(path).symlink_to(victim)

    with pytest.raises(OSError, match="symbolic link"):
        write_whole(path, b"content")

    assert victim.read_bytes() == b"precious"


def test_a_link_in_place_of_the_file_is_replaced_and_folders_may_be_links(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    (tmp_path / "real").mkdir()
    (tmp_path / "folder").symlink_to(tmp_path / "real")
    path = tmp_path / "folder" / "file"
    path.symlink_to(victim)

    write_whole(path, b"content")

    assert (victim.read_bytes(), path.read_bytes()) == (b"precious", b"content")
    assert not path.is_symlink()


def test_a_finished_draft_is_put_in_place(tmp_path: Path) -> None:
    path = tmp_path / "file"
    draft_of(path).write_bytes(b"content")

    put_in_place(draft_of(path), path)

    assert path.read_bytes() == b"content"
    with pytest.raises(FileNotFoundError):
        put_in_place(draft_of(path), path)


def test_whoever_reads_while_a_writer_is_killed_sees_one_whole_content(tmp_path: Path) -> None:
    path = tmp_path / "file"
    program = (
        "import sys; from pathlib import Path; from wattribute.core.files import write_whole\n"
        "while True:\n"
        " for byte in b'ab': write_whole(Path(sys.argv[1]), bytes([byte]) * 300_000)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    for _ in range(3):
        writer = subprocess.Popen([sys.executable, "-c", program, path], env=environment)
        wait_until(path.exists)
        for _ in range(50):
            assert path.read_bytes() in (b"a" * 300_000, b"b" * 300_000)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        assert path.read_bytes() in (b"a" * 300_000, b"b" * 300_000)
