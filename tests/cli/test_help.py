"""Help pages of all commands, as a terminal shows them."""

from collections.abc import Iterator

import click
import pytest

from wattribute.cli.root import root


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Paths of all commands below a group."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        yield (*path, name)
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


@pytest.mark.parametrize("path", [*commands(root)], ids=" ".join)
def test_a_help_page_says_what_it_is_for_and_shows_no_mark_of_its_source(
    path: tuple[str, ...],
) -> None:
    command: click.Command = root
    for name in path:
        assert isinstance(command, click.Group)
        found = command.get_command(click.Context(command), name)
        assert found
        command = found

    page = command.get_help(click.Context(command, info_name=" ".join(path)))

    assert "\\b" not in page
    assert command.help
    assert command.help.strip()
