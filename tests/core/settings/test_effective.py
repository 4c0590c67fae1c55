from typing import Annotated

from msgspec import Meta, Struct

from wattribute.core.settings import effective, keys
from wattribute.settings import Settings


class _Bmc(Struct):
    user: str = "reader"
    password: Annotated[str, Meta(extra={"secret": True})] = ""


class _Tree(Struct):
    bmc: _Bmc


def test_every_key_is_in_the_line_for_the_log() -> None:
    line = effective(Settings())

    assert "\n" not in line
    assert all(f"{name}=" in line for name in keys(Settings))
    assert 'exporter.listen=["127.0.0.1:9102"]' in line


def test_secrets_are_never_shown() -> None:
    assert effective(_Tree(_Bmc(password="hunter2"))) == 'bmc.user="reader" bmc.password="***"'  # noqa: S106


def test_an_empty_secret_is_seen_to_be_empty() -> None:
    assert effective(_Tree(_Bmc())) == 'bmc.user="reader" bmc.password=""'
