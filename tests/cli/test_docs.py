from collections.abc import Callable
from pathlib import Path

from wattribute.cli.dev.docs import command_line, pages

DOCS = Path(__file__).parents[2] / "docs/reference"

Call = Callable[..., tuple[int, str, str]]


def test_the_page_of_commands_is_fresh() -> None:
    page = (DOCS / "cli.md").read_text(encoding="utf-8")

    assert page == command_line(), "stale: run `wattribute dev docs`"


def test_every_command_is_on_the_page() -> None:
    page = command_line()

    for name in ("agent", "top", "run", "doctor", "dev plant", "dev convert-config", "dev docs"):
        assert f"## wattribute {name}\n" in page


def test_stale_pages_are_named_then_written_then_fresh(call: Call, tmp_path: Path) -> None:
    at = ("--directory", str(tmp_path))

    code, _, err = call("dev", "docs", "--check", *at)
    assert (code, len(err.splitlines())) == (1, len(pages()))
    assert list(tmp_path.iterdir()) == []

    assert call("dev", "docs", *at)[0] == 0
    assert {path.name for path in tmp_path.iterdir()} == set(pages())
    assert call("dev", "docs", "--check", *at) == (0, "", "")
