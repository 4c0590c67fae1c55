from collections.abc import Callable
from types import SimpleNamespace

import pytest

import wattribute.node
from wattribute.cli import invoke


@pytest.fixture
def call(capfd: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run the command line; exit code, standard output, standard error."""

    def called(*arguments: str) -> tuple[int, str, str]:
        capfd.readouterr()
        code = invoke(arguments)
        output = capfd.readouterr()
        return code, output.out, output.err

    return called


@pytest.fixture
def put(monkeypatch: pytest.MonkeyPatch) -> Callable[..., SimpleNamespace]:
    """Put a fake in the place of one of the node's modules."""

    def replace(name: str, **members: object) -> SimpleNamespace:
        fake = SimpleNamespace(**members)
        monkeypatch.setitem(__import__("sys").modules, f"wattribute.node.{name}", fake)
        monkeypatch.setattr(wattribute.node, name, fake, raising=False)
        return fake

    return replace
