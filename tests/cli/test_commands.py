"""Every command in a table of commands is there, says what it is, and is in the docs."""

import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

import wattribute.cli
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


def test_every_command_in_a_module_is_in_a_table() -> None:
    """A command with its own file and no row in a table would exist, and nobody could call it."""
    reachable = {id(command) for command in _commands_below(root)}
    forgotten = [
        f"{module}:{name}"
        for module in _modules()
        for name, command in vars(importlib.import_module(module)).items()
        if isinstance(command, click.Command)
        and getattr(command.callback, "__module__", "") == module
        and id(command) not in reachable
    ]

    assert not forgotten, (
        f"{', '.join(forgotten)}: add a row to the table of its group, in the group's "
        "`__init__.py`, or in src/wattribute/cli/root.py"
    )


def _modules() -> list[str]:
    return [
        module.name for module in pkgutil.walk_packages(wattribute.cli.__path__, "wattribute.cli.")
    ]


def _commands_below(group: click.Group) -> Iterator[click.Command]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield command
        if isinstance(command, click.Group):
            yield from _commands_below(command)
