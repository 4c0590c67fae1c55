"""Paths of processes' cgroups in the three kinds of hierarchies, and from inside a namespace."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattribute.node.activity.hierarchy import Accounting
from wattribute.node.activity.membership import Membership, any_path, cpuacct_path, v2_path
from wattribute_testing import FakeProcfs

HYBRID = "3:cpu,cpuacct:/docker/x\n2:memory:/m\n1:name=systemd:/s\n0::/u"


@pytest.mark.parametrize(
    ("accounting", "lines", "path"),
    [
        ("v2", "0::/a/b", "/a/b"),
        ("v2", HYBRID, "/u"),
        ("v2", "0::/a (deleted)", "/a"),
        ("v2", "1:cpu:/x", ""),
        ("cpuacct", HYBRID, "/docker/x"),
        ("cpuacct", "3:cpuacct,cpu:/with:colon", "/with:colon"),
        ("cpuacct", "0::/u", ""),
        ("none", HYBRID, "/docker/x"),
        ("none", "3:cpuacct:/\n2:memory:/m\n0::/u", "/m"),
        ("none", "3:cpuacct:/\n0::/u", "/u"),
        ("none", "3:cpuacct:/\n1:name=systemd:/s\n0::/", "/s"),
        ("none", "3:cpuacct:/", "/"),
        ("none", "", ""),
    ],
)
def test_the_path_is_that_of_the_hierarchy_that_counts(
    tmp_path: Path, accounting: Accounting, lines: str, path: str
) -> None:
    FakeProcfs(tmp_path).start(50, cgroup=lines)

    assert Membership(tmp_path, accounting).path_of("50") == path


def test_a_process_that_has_ended_has_no_path(tmp_path: Path) -> None:
    assert Membership(tmp_path, "v2").path_of("50") == ""


@given(st.binary())
def test_any_text_can_be_read(text: bytes) -> None:
    for path in (v2_path(text), cpuacct_path(text), any_path(text)):
        os.fsencode(path)


@pytest.fixture
def two_cgroups() -> Iterator[tuple[Path, Path]]:
    """Two real cgroups beside each other, ``.../agent`` and ``.../other``."""
    base = Path("/sys/fs/cgroup/cpuacct")
    if not base.exists():
        base = Path("/sys/fs/cgroup")
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("a cgroup namespace needs root and unshare(1)")
    top = base / f"wattribute-test-ns-{os.getpid()}"
    try:
        for name in ("agent", "other"):
            (top / name).mkdir(parents=True)
    except OSError as exc:
        pytest.skip(f"{base}: no cgroup can be made here: {exc}")
    yield top / "agent", top / "other"
    for folder in (top / "agent", top / "other", top):
        folder.rmdir()


@pytest.mark.root
def test_a_real_private_namespace_is_resolved(two_cgroups: tuple[Path, Path]) -> None:
    agent, other = two_cgroups
    base = agent.parent.parent
    accounting = "cpuacct" if base.name == "cpuacct" else "v2"
    asks = (
        "import os, sys; from pathlib import Path\n"
        "from wattribute.node.activity.membership import Membership\n"
        f"m = Membership(Path('/proc'), {accounting!r}, Path({str(base)!r}))\n"
        "print(m.path_of(str(os.getpid())), m.path_of(sys.argv[1]))\n"
    )
    python = [sys.executable, "-c", asks]
    join = 'echo $$ > "$0/cgroup.procs"; exec "$@"'
    with subprocess.Popen(["sh", "-c", join, other, "cat"], stdin=subprocess.PIPE) as neighbour:
        while str(neighbour.pid) not in (other / "cgroup.procs").read_text().split():
            pass
        said = subprocess.run(
            ["sh", "-c", join, agent, "unshare", "-C", *python, str(neighbour.pid)],
            check=True,
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        assert neighbour.stdin is not None
        neighbour.stdin.close()

    top = agent.parent.name
    assert said.stdout.split() == [f"/{top}/agent", f"/{top}/other"]
