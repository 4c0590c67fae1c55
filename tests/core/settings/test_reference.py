from pathlib import Path

from wattribute.core.settings import FLAGS, keys
from wattribute.core.settings.reference import descriptions, render

PAGE = Path(__file__).parents[3] / "docs/reference/settings.md"


def test_the_page_is_fresh() -> None:
    assert PAGE.read_text(encoding="utf-8") == render(), "stale: run `wattribute dev docs`"


def test_every_key_says_what_it_means() -> None:
    assert all(descriptions()[name] for name in keys())


def test_every_flag_and_variable_is_on_the_page() -> None:
    page = render()

    assert all(f"`{flag}`" in page for flag in FLAGS)
    assert all(f"`{key.variable}`" in page for key in keys().values())
