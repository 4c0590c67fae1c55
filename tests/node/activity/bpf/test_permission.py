import os
import shutil
import subprocess
import sys

import pytest

from wattribute.core.errors import ActivityAbsent
from wattribute.node.activity.bpf import perf, permission
from wattribute.node.activity.bpf.permission import kernel_version, missing_capabilities

LOAD = """
from wattribute.node.activity.bpf.load import Programs
from wattribute.node.activity.bpf.spec import shipped
from wattribute.core.errors import ActivityDenied
try:
    programs = Programs(shipped("tasks", "folders"), {}, (5, 8))
    programs.attach()
    print("works")
except ActivityDenied as exc:
    print(exc)
"""


@pytest.mark.parametrize(
    ("effective", "lacking"),
    [
        ("0000000000000000", ("CAP_BPF", "CAP_PERFMON")),
        ("0000008000000000", ("CAP_PERFMON",)),
        ("0000004000000000", ("CAP_BPF",)),
        ("000000c000000000", ()),
        ("0000000000200000", ()),
        ("000001ffffffffff", ()),
    ],
)
def test_names_exactly_the_missing_capability(effective: str, lacking: tuple[str, ...]) -> None:
    assert missing_capabilities(f"Name:\tx\nCapEff:\t{effective}\nCapBnd:\tff\n") == lacking


@pytest.mark.parametrize(
    ("release", "version"),
    [("5.10.0-28-amd64", (5, 10)), ("6.18.44+", (6, 18)), ("strange", (0, 0))],
)
def test_reads_kernel_versions(release: str, version: tuple[int, int]) -> None:
    assert kernel_version(release) == version


def test_says_which_kernel_is_needed() -> None:
    with pytest.raises(ActivityAbsent, match=r"is too old; 99\.0"):
        permission.require_kernel((99, 0))


@pytest.mark.parametrize(
    ("text", "cpus"), [("0-3,8\n", {0, 1, 2, 3, 8}), ("5", {5}), ("\n", set())]
)
def test_reads_lists_of_cpus(text: str, cpus: set[int]) -> None:
    assert set(perf.cpu_list(text)) == cpus


NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]


@pytest.fixture(scope="module")
def nobody() -> list[str]:
    """The command that becomes nobody."""
    if os.geteuid() != 0 or not shutil.which("setpriv"):
        pytest.skip("needs root and setpriv (util-linux), to become somebody else")
    if subprocess.run([*NOBODY, sys.executable, "-c", ""], capture_output=True).returncode:  # noqa: PLW1510
        pytest.skip(f"{sys.executable} lies where nobody may go")
    return NOBODY


@pytest.mark.root
@pytest.mark.bpf
@pytest.mark.usefixtures("bpf")
@pytest.mark.parametrize(
    ("capabilities", "says"),
    [
        (",+bpf,+perfmon", "works"),
        (",+bpf", "eBPF: needs CAP_PERFMON (or root)"),
        (",+perfmon", "eBPF: needs CAP_BPF (or root)"),
        ("", "eBPF: needs CAP_BPF and CAP_PERFMON (or root)"),
    ],
)
def test_works_as_nobody_with_two_capabilities_and_says_which_is_missing(
    nobody: list[str], capabilities: str, says: str
) -> None:
    keep = ["--inh-caps", f"-all{capabilities}", "--ambient-caps", f"-all{capabilities}"]
    told = subprocess.run(
        [*nobody, *keep, sys.executable, "-c", LOAD],
        capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert (told.stdout.strip(), told.stderr) == (says, "")
