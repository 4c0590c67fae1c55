"""A click group that knows its commands by name, and imports the one that is called."""

import click

from wattribute.core.registry import Registry


class LazyGroup(click.Group):
    """A group whose help and completion import no command; a call imports one."""

    def __init__(self, name: str, *, commands: Registry, help_text: str) -> None:
        """Make a group.

        Args:
            name: The group's own name.
            commands: Its commands, each with the line that the group's help shows.
            help_text: What the group is for.
        """
        super().__init__(name=name, help=help_text, no_args_is_help=True)
        self.table = commands

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """List the names, in the table's order."""
        return list(self.table.names)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import one command; None: there is none of this name."""
        if cmd_name not in self.table.names:
            return None
        command = self.table.load(cmd_name, click.Command)
        _mark_paragraphs(command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the help's list of commands, from the table alone."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in self.table.entries.items()])


def _mark_paragraphs(command: click.Command) -> None:
    r"""Turn ``\b`` into click's mark, a backspace: docstrings are raw, as ruff's D301 wants."""
    if command.help:
        command.help = command.help.replace("\\b\n", "\b\n")
    if isinstance(command, click.Group):
        for part in command.commands.values():
            _mark_paragraphs(part)
