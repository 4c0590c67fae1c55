import os

import pytest

from wattribute.core.errors import ConfigInvalid, ListenFailed
from wattribute.http.listen import Address, bind, is_loopback, parse_address


def test_a_port_in_use_is_named_with_what_would_help() -> None:
    with bind("127.0.0.1:0") as listener:
        address = Address.of_listener(listener)
        with pytest.raises(ListenFailed, match=f"^{address}: address already in use; .*--listen"):
            bind(str(address))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may listen on every port")
def test_a_port_that_needs_privilege_is_named() -> None:
    with pytest.raises(ListenFailed, match="CAP_NET_BIND_SERVICE"):
        bind("127.0.0.1:1")


def test_an_address_of_another_machine_is_named() -> None:
    with pytest.raises(ListenFailed, match=r"192\.0\.2\.1:0: .*no such address"):
        bind("192.0.2.1:0")


@pytest.mark.parametrize("text", ["", "9102", "a:b", "::1:9102", "[::1]", "h:99999", "h:1:2"])
def test_text_that_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ConfigInvalid, match="HOST:PORT"):
        parse_address(text)


@pytest.mark.parametrize(
    ("text", "loopback"),
    [
        ("127.0.0.1:1", True), ("127.9.9.9:1", True), ("[::1]:1", True), ("localhost:1", True),
        (":1", False), ("0.0.0.0:1", False), ("[::]:1", False), ("10.0.0.1:1", False),
        ("example.org:1", False),
    ],
)  # fmt: skip
def test_loopback_is_known(text: str, loopback: bool) -> None:  # noqa: FBT001
    assert parse_address(text).is_loopback is loopback
    assert str(parse_address(text)) == text
    assert is_loopback(["127.0.0.1:2", text]) is loopback
