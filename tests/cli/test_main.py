import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from wattribute import __version__
from wattribute.cli import exit_code_of
from wattribute.core.errors import (
    ActivityDenied,
    ConfigInvalid,
    ListenFailed,
    MeterAbsent,
    MeterDenied,
    Unbalanced,
    WattributeError,
)

Call = Callable[..., tuple[int, str, str]]


def _modules_after(statement: str) -> set[str]:
    code = f"{statement}\nimport sys; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    return set(done.stdout.split())


def test_help_names_every_command(call: Call) -> None:
    code, out, _ = call("--help")

    assert code == 0
    assert all(f"\n  {name}" in out for name in ("agent", "top", "run", "doctor", "dev"))


def test_help_imports_neither_numpy_nor_settings() -> None:
    modules = _modules_after("from wattribute.cli import invoke; invoke(['--help'])")

    assert not modules & {"numpy", "msgspec", "yaml", "rich", "textual", "wattribute.core.settings"}


def test_the_agent_command_imports_no_terminal_library() -> None:
    modules = _modules_after("import wattribute.cli.agent, wattribute.cli.doctor")

    assert not modules & {"rich", "textual", "yaml"}


def test_the_version_is_printed(call: Call) -> None:
    assert call("--version") == (0, f"wattribute, version {__version__}\n", "")


def test_no_command_at_all_shows_the_help(call: Call) -> None:
    code, out, err = call()

    assert code == 2
    assert "Commands:" in out + err


@pytest.mark.parametrize("arguments", [["agnt"], ["agent", "--intervall", "5"], ["dev", "x"]])
def test_what_is_not_known_is_a_usage_error(arguments: list[str], call: Call) -> None:
    code, out, err = call(*arguments)

    assert code == 2
    assert not out
    assert "No such" in err


def test_wrong_settings_are_one_line_and_exit_2(call: Call) -> None:
    code, out, err = call("agent", "--interval", "0")

    assert (code, out) == (2, "")
    assert err.startswith("wattribute: error: --interval: monitor.interval: '0' is not allowed")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigInvalid(), 2),
        (MeterAbsent(), 5),
        (MeterDenied(), 5),
        (ActivityDenied(), 5),
        (ListenFailed(), 5),
        (Unbalanced(), 1),
    ],
)
def test_an_error_has_an_exit_code(error: WattributeError, code: int) -> None:
    assert exit_code_of(error) == code


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_goes_away_gets_no_complaint(unbuffered: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "wattribute", "agent", "--help"],
        stdout=writer,
        stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONUNBUFFERED": unbuffered},
        check=False,
        timeout=60,
    )
    os.close(writer)

    assert (done.returncode, done.stderr) == (1, b"")
