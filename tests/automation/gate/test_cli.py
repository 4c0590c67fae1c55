"""``wattribute gate`` as it is typed: real commands, a real repository."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from wattribute.automation.gate.series import RunSeries, read_series, write_series
from wattribute.cli import invoke

Gate = Callable[..., int]
QUIET = ("--meters", "estimate", "--activity", "procfs", "--log-level", "error")


@pytest.fixture
def gate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Gate:
    """Run ``wattribute gate`` in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: invoke(["gate", *arguments])


def test_run_baseline_check_from_nothing_to_a_verdict(
    gate: Gate, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    count = (sys.executable, "-I", "-S", "-c", "open('n','a').write('.')")
    assert gate("run", "--runs", "3", "--name", "count", *QUIET, "--", *count) == 0
    assert (tmp_path / "n").read_text() == "...."  # one to warm up
    assert gate("check") == 4
    assert "no baseline for 'count'" in capfd.readouterr().out
    assert gate("check", "--on-missing", "pass") == 0
    assert gate("baseline", "update") == 0
    capfd.readouterr()
    assert gate("baseline", "show", "--json") == 0
    (entry,) = json.loads(capfd.readouterr().out)
    assert entry["name"] == "count"
    assert len(entry["runs"]) == 3
    wide = ("--max-spread", "900%", "--max-busy", "100%", "--detect", "900%")
    assert gate("check", "--metric", "cpu_s", *wide, "--report", f"json={tmp_path}/r.json") == 0
    assert json.loads((tmp_path / "r.json").read_text())["comparisons"][0]["ratio"] == 1
    assert gate("check", "--absolute", "cpu_s<0.000001", "--metric", "cpu_s", *wide) == 1
    assert gate("baseline", "prune", "--older-than", "90d") == 0
    assert "0 dropped, 1 left" in capfd.readouterr().out
    assert gate("baseline", "prune", "--name", "count") == 0
    assert read_series(tmp_path / ".energy-baseline.json", made_by="") == ()


def test_a_command_that_fails_is_not_measured(
    gate: Gate, capfd: pytest.CaptureFixture[str]
) -> None:
    assert gate("run", *QUIET, "--warmup", "0", "--", "sh", "-c", "exit 7") == 5
    assert "run 1: sh failed (exit code 7)" in capfd.readouterr().err
    assert gate("run", *QUIET, "--", "no-such-program") == 2


def test_units_come_from_a_number_or_from_the_command(gate: Gate, tmp_path: Path) -> None:
    write = ("sh", "-c", "echo 40 > units")
    once = ("--runs", "1", "--warmup", "0", *QUIET)
    assert gate("run", *once, "--units-file", "units", "--name", "a", "--", *write) == 0
    assert gate("run", *once, "--units", "40", "--name", "b", "--", *write) == 0
    assert gate("run", *once, "--units-file", "none", "--name", "c", "--", *write) == 5
    assert gate("run", *once, "--units-file", "u", "--units", "3", "--", *write) == 2

    kept = read_series(tmp_path / ".energy-results.json", made_by="")
    assert [series.name for series in kept] == ["a", "b"]
    (figures,) = kept[0].runs
    assert figures["energy_per_unit"] == pytest.approx(figures["energy_j"] / 40)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("check", "--max-regression", "5"), "say 5% if you mean percent"),
        (("check", "--max-regression", "lots"), "not a percentage"),
        (("check", "--metric", "watts"), "use one of energy_j"),
        (("check", "--absolute", "energy_j>5"), "must be METRIC<NUMBER"),
        (("check", "--report", "pdf"), "'pdf' is not one of json"),
        (("check", "--report", "json="), "name a file after the ="),
        (("check", "--alpha", "0"), "--alpha"),
        (("baseline", "prune"), "no filter given"),
        (("baseline", "prune", "--older-than", "9y"), "h, d or w"),
        (("ab", "--base", "HEAD", "--", "true"), "not a git repository"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_2(
    gate: Gate, capfd: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    assert gate(*arguments) == 2
    error = capfd.readouterr().err
    assert said in error
    assert "Traceback" not in error


@pytest.mark.parametrize("text", ["", "{", '{"schema": 9, "series": []}', "\xff", "[]"])
def test_files_that_are_broken_are_named(
    gate: Gate, tmp_path: Path, capfd: pytest.CaptureFixture[str], text: str
) -> None:
    (tmp_path / ".energy-results.json").write_text(text, encoding="latin-1")

    assert gate("check") == 5
    assert ".energy-results.json: " in capfd.readouterr().err


def test_the_exit_code_is_the_verdict(gate: Gate, make: Callable[..., RunSeries]) -> None:
    write_series(Path(".energy-baseline.json"), [make(100)])
    for mean, spread, key, code in (
        (100, 0.01, {}, 0),
        (120, 0.01, {}, 1),
        (100, 0.2, {}, 3),
        (100, 0.01, {"key": {"cpu": "another"}}, 4),
    ):
        write_series(Path(".energy-results.json"), [make(mean, spread=spread, seed=2, **key)])
        assert gate("check") == code


@pytest.fixture
def repository(tmp_path: Path, gate: Gate) -> Path:
    """Two revisions: the second one writes down where it ran, and is the working tree."""
    del gate
    (tmp_path / "sub").mkdir()
    for number in (1, 2):
        (tmp_path / "sub/work.py").write_text(
            f"import os\nopen({str(tmp_path / 'log')!r}, 'a').write('{number}')\n"
            "assert os.path.exists('work.py')\n"
        )
        git(tmp_path, "init", "-q", "-b", "main")
        git(tmp_path, "add", "sub")
        git(tmp_path, "commit", "-q", "-m", f"revision {number}")
    return tmp_path


def git(folder: Path, *arguments: str) -> None:
    who = {"GIT_AUTHOR_NAME": "n", "GIT_AUTHOR_EMAIL": "e", "GIT_COMMITTER_NAME": "n"}
    subprocess.run(
        ["git", *arguments], cwd=folder, check=True,
        env=os.environ | who | {"GIT_COMMITTER_EMAIL": "e", "GIT_CONFIG_GLOBAL": "/dev/null"},
    )  # fmt: skip


def test_two_revisions_are_measured_in_turn_and_nothing_is_left(
    gate: Gate, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository / "sub")
    wide = ("--max-spread", "900%", "--detect", "900%", "--max-regression", "90%")
    code = gate(
        *("ab", "--base", "HEAD~1", "--runs", "5", "--warmup", "1", "--metric", "cpu_s", *wide),
        *("--setup", "touch built", "--report", "json=out.json", *QUIET),
        *("--", sys.executable, "-I", "-S", "work.py"),
    )

    assert code == 0
    assert (repository / "log").read_text() == "12" + "1221122112"
    (said,) = json.loads(Path("out.json").read_text())["comparisons"]
    assert said["pairs"] is True
    assert (said["base_runs"], said["new_runs"]) == (5, 5)
    trees = subprocess.run(["git", "worktree", "list"], capture_output=True, text=True, check=True)
    assert len(trees.stdout.splitlines()) == 1
    assert not list((repository / ".git").glob("wattribute-ab-*"))


def test_a_revision_that_is_not_there_says_what_ci_lacks(
    gate: Gate, repository: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    del repository
    assert gate("ab", "--base", "origin/main", *QUIET, "--", "true") == 2
    assert (
        "origin/main: there is no such revision here; in CI fetch it first"
        in capfd.readouterr().err
    )
    assert gate("ab", "--base", "HEAD", "--setup", "exit 3", *QUIET, "--", "true") == 5
