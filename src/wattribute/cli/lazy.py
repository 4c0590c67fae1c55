"""A click group that knows its commands by name, and imports the one that is called."""

from collections.abc import Mapping
from importlib import import_module

import click


class LazyGroup(click.Group):
    """Help and completion need no command's module; a call imports one."""

    def __init__(
        self, name: str, *, commands: Mapping[str, tuple[str, str]], help_text: str
    ) -> None:
        """Make a group.

        Args:
            name: The group's own name.
            commands: Name to ``package.module:attribute`` and one line of help.
            help_text: What the group is for.
        """
        super().__init__(name=name, help=help_text, no_args_is_help=True)
        self.table = commands

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """The names, in the table's order."""
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import one command."""
        if cmd_name not in self.table:
            return None
        module, _, attribute = self.table[cmd_name][0].partition(":")
        command = getattr(import_module(module), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{module}:{attribute} is not a command")
        _mark_paragraphs(command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """The list of commands in the help, from the table alone."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in self.table.items()])


def _mark_paragraphs(command: click.Command) -> None:
    r"""Turn ``\b`` into click's mark, a backspace: docstrings are raw, as ruff's D301 wants."""
    if command.help:
        command.help = command.help.replace("\\b\n", "\b\n")
    if isinstance(command, click.Group):
        for part in command.commands.values():
            _mark_paragraphs(part)
