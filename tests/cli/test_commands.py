"""Every command in a table of commands is there, says what it is, and is in the docs."""

from pathlib import Path

import click
import pytest

from wattribute.cli.lazy import LazyGroup
from wattribute.cli.root import root

ROOT = Path(__file__).parents[2]
WRITTEN = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]
GUIDES = "\n".join(
    path.read_text(encoding="utf-8") for path in WRITTEN if "reference" not in path.parts
)


def _groups(group: LazyGroup, path: str = "wattribute") -> list[tuple[str, LazyGroup]]:
    found = [(path, group)]
    for name in group.table.names:
        command = group.get_command(click.Context(group), name)
        if isinstance(command, LazyGroup):
            found += _groups(command, f"{path} {name}")
    return found


COMMANDS = [(path, group, name) for path, group in _groups(root) for name in group.table.names]


@pytest.mark.parametrize(
    ("path", "group", "name"), COMMANDS, ids=[f"{path} {name}" for path, _, name in COMMANDS]
)
def test_a_command_of_the_table_can_be_called_and_read_about(
    path: str, group: LazyGroup, name: str
) -> None:
    command = group.get_command(click.Context(group), name)
    assert command is not None
    line = group.table.entries[name][1]

    assert command.name == name, f"the table calls it {name}, and the command {command.name}"
    assert line.endswith("."), f"{path} {name}: its line in the table is no sentence: {line!r}"
    assert command.help, f"{path} {name}: give its function a docstring: it is the help"
    assert f"{path} {name}" in GUIDES, f"`{path} {name}` is in no guide: name it in docs/user"
