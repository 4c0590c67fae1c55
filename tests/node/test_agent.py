"""The composition root: what it refuses before anything starts, and what it does not load."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from wattribute.core.errors import ConfigInvalid
from wattribute.node.agent import check
from wattribute.node.settings import ActivitySettings, MonitorSettings, NodeSettings


def settings(state: Path) -> NodeSettings:
    return NodeSettings(
        activity=ActivitySettings(source="procfs"), monitor=MonitorSettings(state=str(state))
    )


def test_a_state_file_in_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid, match=r"monitor\.state: .*/missing: no such folder"):
        check(settings(tmp_path / "missing" / "state.json"))


def test_a_state_file_that_nobody_could_read_to_its_end_is_refused(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    with pytest.raises(ConfigInvalid, match="not a regular file"):
        check(settings(pipe))


def test_what_only_some_settings_need_is_not_loaded_with_the_agent() -> None:
    heavy = {
        "amdsmi", "asyncio", "bcrypt", "click", "cryptography", "email", "grpc", "h2",
        "http.client", "http.server", "httpx", "pynvml", "rich", "ssl", "starlette",
        "textual", "uvicorn", "yaml",
    }  # fmt: skip
    program = "import sys, wattribute.node.agent; print(*sys.modules)"
    finished = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        check=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )

    loaded = set(finished.stdout.split())
    assert "wattribute.node.agent" in loaded
    assert loaded & heavy == set()
