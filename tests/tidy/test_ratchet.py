"""The list of known offences may only shrink."""

import tomllib
from pathlib import Path

from tools.tidy import ratchet
from tools.tidy.tree import Offence

KNOWN = {"wide-lines": {"a.md": 2, "b.md": 1}}


def test_a_new_offence_fails_in_a_listed_file_and_in_another() -> None:
    counts = {"wide-lines": {"a.md": 3, "b.md": 1, "c.md": 1}, "bare-names": {"a.py": 1}}

    assert ratchet.outgrown(KNOWN, counts) == {
        "wide-lines": ["a.md", "c.md"],
        "bare-names": ["a.py"],
    }


def test_a_listed_number_is_allowed_and_no_entry_may_be_higher_than_the_truth() -> None:
    counts = {"wide-lines": {"a.md": 1}}

    assert ratchet.outgrown(KNOWN, counts) == {"wide-lines": []}
    assert ratchet.outdated(KNOWN, counts) == [
        "wide-lines in a.md: 2 listed in known.toml, 1 now",
        "wide-lines in b.md: 1 listed in known.toml, 0 now",
    ]


def test_an_entry_of_a_rule_that_is_no_more_fails() -> None:
    assert len(ratchet.outdated(KNOWN, {})) == 2


def test_offences_may_move_to_another_file_but_not_become_more() -> None:
    moved = {"wide-lines": {"c.md": 3}}
    more = {"wide-lines": {"a.md": 1, "c.md": 3}, "bare-names": {"a.py": 1}}

    assert ratchet.shrink(KNOWN, moved) == (moved, [])
    shrunk, grown = ratchet.shrink(KNOWN, more)
    assert grown == ["wide-lines", "bare-names"]
    assert shrunk == {**KNOWN, "bare-names": {}}


def test_the_list_is_sorted_and_reads_back() -> None:
    offences = {
        "wide-lines": [Offence("b.md", 1, "x"), Offence("a.md", 1, "x"), Offence("b.md", 2, "x")],
        "bare-names": [],
    }
    text = ratchet.render(ratchet.count(offences))

    assert tomllib.loads(text) == {"wide-lines": {"a.md": 1, "b.md": 2}}
    assert text.index("a.md") < text.index("b.md")
    assert "bare-names" not in text


def test_the_list_of_this_tree_is_written_as_the_command_writes_it() -> None:
    path = Path(ratchet.__file__).with_name("known.toml")

    assert path.read_text() == ratchet.render(ratchet.read())
