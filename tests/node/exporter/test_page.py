import base64
import re
from collections.abc import Callable
from hashlib import sha256
from typing import Any

from wattribute.core.records import Snapshot
from wattribute.node.exporter import page
from wattribute.node.exporter.api.shapes import Component, Document, GpuRow, HealthDocument, ZoneRow


def test_only_the_pages_own_script_and_style_may_run() -> None:
    body, policy = page.load()

    assert policy.startswith("default-src 'none'")
    for tag in (b"script", b"style"):
        (text,) = re.findall(b"<%b>(.*?)</%b>" % (tag, tag), body, re.DOTALL)
        digest = base64.b64encode(sha256(text).digest()).decode()
        assert f"{tag.decode()}-src 'sha256-{digest}'" in policy
    assert b" style=" not in body
    assert not re.search(rb"\son\w+=", body)


def test_nothing_is_loaded_from_elsewhere() -> None:
    body, _ = page.load()

    links = re.findall(rb"""(?:src|href|fetch\()\s*=?\s*["']([^"']+)""", body)
    assert [link for link in links if b"//" in link and not link.startswith(b"data:")] == []


def test_names_never_become_markup() -> None:
    body, _ = page.load()

    for sink in (b"innerHTML", b"outerHTML", b"insertAdjacentHTML", b"document.write", b"eval("):
        assert sink not in body


def test_the_page_uses_keys_that_the_snapshot_has() -> None:
    script = page.load()[0].decode()

    for shape, variable in (
        (Document, "shot"), (HealthDocument, "h"), (Component, "c"), (ZoneRow, "z"),
        (GpuRow, "g"),
    ):  # fmt: skip
        used = set(re.findall(rf"\b{variable}\.([a-z_]+)\b(?!\()", script)) - {"length"}
        assert used <= set(shape.__struct_fields__), variable


def test_the_page_is_served_with_its_policy(
    start: Callable[..., Any], connect: Callable[..., Any], snapshot: Snapshot
) -> None:
    status, headers, body = connect(start(snapshot)).get("/")

    assert (status, body) == (200, page.load()[0])
    assert headers["content-security-policy"] == page.load()[1]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["content-type"] == "text/html; charset=utf-8"
