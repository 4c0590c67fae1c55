"""The file with the BMC's password, in three forms; no message shows what is in it."""

import contextlib
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wattribute.core.errors import ConfigInvalid, MeterDenied, MeterFailed
from wattribute.node.meter.bmcfile import Bmc, Credentials, read_bmc

KEPLER = """\
nodes:
  worker-1: bmc-1
  worker-2: missing
bmcs:
  bmc-1:
    endpoint: https://10.0.0.5
    username: admin
    password: "s3cret"
    insecure: true
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "bmc"
    path.touch(0o600)
    return path


def test_our_own_form(file: Path) -> None:
    file.write_text("# BMC\nusername: u\npassword: 'p: w'\n")

    assert read_bmc(file, "any") == Bmc("", Credentials("u", "p: w"))


def test_keplers_yaml(file: Path) -> None:
    file.write_text(KEPLER)

    found = read_bmc(file, "worker-1")
    assert found == Bmc("https://10.0.0.5", Credentials("admin", "s3cret"), insecure=True)


def test_keplers_csv(file: Path) -> None:
    file.write_text('# comment\nn1,u1,p1,10.0.0.1\n\nn2, u2,"a,b:c",https://10.0.0.2:8443\n')

    assert read_bmc(file, "n1") == Bmc("10.0.0.1", Credentials("u1", "p1"))
    assert read_bmc(file, "n2") == Bmc("https://10.0.0.2:8443", Credentials("u2", "a,b:c"))


@pytest.mark.parametrize(
    ("text", "node", "message"),
    [
        (KEPLER, "worker-9", "nodes: no node 'worker-9'; see workload.node_name"),
        (KEPLER, "worker-2", "bmcs: none for node 'worker-2'"),
        ("nodes: 5\nbmcs: {}\n", "n", "must be mappings"),
        ("n1,u,s3cret,h\n", "n2", "no line for node 'n2'"),
        ("n1,u,s3,cret,h\n", "n1", "neither YAML nor lines"),
        ("s3cret\n", "n1", "neither YAML nor lines"),
        ("", "n1", "no line for node"),
        ("username: u\npassword: 12345\n", "n", "numbers in quotes"),
        ("username: u\npassword: [s3cret\n", "n", "not valid YAML"),
        ("username: u\nusername: s3cret\n", "n", "not valid YAML"),
        ("username: u\npassword: s3cret\nendpoint: 5\n", "n", "endpoint must be a text"),
    ],
)
def test_what_is_wrong_is_said_without_what_is_secret(
    file: Path, text: str, node: str, message: str
) -> None:
    file.write_text(text)

    with pytest.raises(ConfigInvalid) as caught:
        read_bmc(file, node)
    assert message in str(caught.value)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620])
def test_a_file_that_others_may_read_is_refused(file: Path, mode: int) -> None:
    file.chmod(mode)

    with pytest.raises(MeterDenied, match=rf"mode 0{mode:o}\); chmod 600"):
        read_bmc(file, "n")


def test_files_that_are_none(tmp_path: Path, file: Path) -> None:
    with pytest.raises(MeterFailed, match="no such file"):
        read_bmc(tmp_path / "none", "n")
    os.mkfifo(tmp_path / "fifo", 0o600)
    with pytest.raises(ConfigInvalid, match="not a file of at most 1 MiB"):
        read_bmc(tmp_path / "fifo", "n")
    file.write_bytes(b"username: \xff\n")
    with pytest.raises(ConfigInvalid, match="not UTF-8"):
        read_bmc(file, "n")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=80))
def test_no_text_crashes_it(file: Path, text: str) -> None:
    file.write_text(text, encoding="utf-8", errors="replace")
    with contextlib.suppress(ConfigInvalid):
        read_bmc(file, "n")
