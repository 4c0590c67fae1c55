from pathlib import Path

from wattribute.core.settings import keys
from wattribute.core.settings.reference import descriptions, render
from wattribute.settings import Settings

PAGE = Path(__file__).parents[3] / "docs/reference/settings.md"


def test_the_page_is_fresh() -> None:
    assert PAGE.read_text(encoding="utf-8") == render(Settings), "stale: run `wattribute dev docs`"


def test_every_key_says_what_it_means() -> None:
    assert all(descriptions(Settings)[name] for name in keys(Settings))


def test_every_flag_and_variable_is_on_the_page() -> None:
    page = render(Settings)

    known = keys(Settings).values()
    assert all(f"`{key.flag}`" in page for key in known if key.flag)
    assert all(f"`{key.variable}`" in page for key in known)
