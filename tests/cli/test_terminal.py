import io
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from wattribute.cli.terminal import TerminalColumn, clean, plain, print_table


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_name_cannot_drive_the_terminal() -> None:
    assert clean("\x1b]0;owned\x07") == "\\x1b]0;owned\\x07"
    assert clean("a\nb\tc\x9b2J") == "a\\nb\\tc\\x9b2J"
    assert clean("\u202egnp.exe") == "\\u202egnp.exe"
    assert clean("\udcff") == "\\udcff"


def test_names_in_any_script_stay_as_they_are() -> None:
    assert clean("größe-数据 ✓") == "größe-数据 ✓"


@given(st.text())
def test_nothing_that_is_not_printable_is_left(text: str) -> None:
    assert clean(text).isprintable()
    assert all(unicodedata.category(char)[0] != "C" for char in clean(text))


def test_a_plain_table_is_aligned() -> None:
    table = plain(
        (TerminalColumn("NAME"), TerminalColumn("WATTS", right=True)),
        [("a", "1.5"), ("longer", "10")],
    )

    assert table == "NAME    WATTS\na         1.5\nlonger     10\n"


def test_a_table_without_rows_has_its_head() -> None:
    assert plain((TerminalColumn("NAME"),), []) == "NAME\n"


def test_markup_in_names_is_not_obeyed_on_a_terminal() -> None:
    terminal = _Terminal()

    print_table((TerminalColumn("NAME"),), [("[red]x[/red]",), ("\x1b[31m",)], terminal)

    assert "[red]x[/red]" in terminal.getvalue()
    assert "\\x1b[31m" in terminal.getvalue()
