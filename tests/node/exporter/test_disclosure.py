"""Fast readings and single processes are not for strangers."""

import base64
import logging
from pathlib import Path

import bcrypt
import pytest
import yaml

from wattribute.core.errors import ConfigInvalid
from wattribute.http import access, credentials
from wattribute.node.exporter.disclosure import Disclosure
from wattribute.node.settings import ExporterSettings

SECRET = bcrypt.hashpw(b"opensesame", bcrypt.gensalt(4)).decode()


def web_config(folder: Path, **tree: object) -> str:
    path = folder / "web-config.yml"
    path.write_text(yaml.safe_dump(tree), encoding="utf-8")
    return str(path)


@pytest.mark.parametrize(
    ("listen", "interval", "allowed"),
    [
        ("127.0.0.1:9102", 0.2, True),
        (":9102", 0.2, False),
        (":9102", 0.99, False),
        (":9102", 1.0, True),
        ("10.0.0.1:9102", 0.5, False),
        ("[::1]:9102", 0.5, True),
    ],
)
def test_fast_readings_are_for_this_machine_alone(
    listen: str,
    interval: float,
    allowed: bool,  # noqa: FBT001
) -> None:
    addresses = ("127.0.0.1:1", listen)
    if allowed:
        Disclosure(ExporterSettings(listen=addresses), interval)
    else:
        with pytest.raises(ConfigInvalid, match="faster than 1 s"):
            Disclosure(ExporterSettings(listen=addresses), interval)


def test_a_change_of_the_file_counts_without_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(access, "_LOOK_S", 0.0)
    monkeypatch.setattr(credentials, "FAILURE_DELAY_S", 0)
    config = web_config(tmp_path, basic_auth_users={"prom": SECRET})
    rules = Disclosure(ExporterSettings(listen=(":0",), web_config=config), 0.5).access
    right = "Basic " + base64.b64encode(b"prom:opensesame").decode()
    assert rules.allows(right)

    other = bcrypt.hashpw(b"other", bcrypt.gensalt(4)).decode()
    web_config(tmp_path, basic_auth_users={"prom": other, "more": other})
    assert not rules.allows(right)

    with caplog.at_level(logging.ERROR):
        web_config(tmp_path, basic_auth_users={"prom": "plain"})
        assert not rules.allows(right)
        assert not rules.allows(right)
        web_config(tmp_path)  # would open fast readings to strangers
        assert not rules.allows("")
    assert [r.message.count("stay") for r in caplog.records] == [1, 1]
    assert "faster than 1 s" in caplog.records[1].message

    (tmp_path / "web-config.yml").unlink()
    assert not rules.allows("")


def test_authentication_lets_fast_readings_out(tmp_path: Path) -> None:
    config = web_config(tmp_path, basic_auth_users={"prom": SECRET})
    settings = ExporterSettings(listen=(":9102",), web_config=config)

    assert Disclosure(settings, interval_s=0.2).shows_processes
