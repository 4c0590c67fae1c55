"""What is printed: names made harmless, tables for people and for pipes."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TextIO


@dataclass(frozen=True, slots=True)
class TerminalColumn:
    """One column of a table."""

    title: str
    right: bool = False
    """Aligned to the right, as numbers are."""


def clean(text: str) -> str:
    r"""The text with everything escaped that a terminal could take for a command.

    Names of processes, containers and pods are chosen by strangers: control
    characters, and characters that turn the direction of writing, are shown as
    ``\x1b`` or ``\u202e``.
    """
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )


def print_table(
    columns: Sequence[TerminalColumn], rows: Sequence[Sequence[str]], stream: TextIO | None = None
) -> None:
    """Write a table: with lines and colours on a terminal, as aligned text otherwise."""
    stream = stream or sys.stdout
    cleaned = [[clean(cell) for cell in row] for row in rows]
    if stream.isatty():
        _rich(columns, cleaned, stream)
    else:
        stream.write(plain(columns, cleaned))


def plain(columns: Sequence[TerminalColumn], rows: Sequence[Sequence[str]]) -> str:
    """The table as aligned text, one row per line."""
    titles = [column.title for column in columns]
    widths = [max(map(len, cells)) for cells in zip(titles, *rows, strict=True)]
    lines = (
        "  ".join(
            cell.rjust(width) if column.right else cell.ljust(width)
            for column, cell, width in zip(columns, row, widths, strict=True)
        ).rstrip()
        for row in (titles, *rows)
    )
    return "".join(f"{line}\n" for line in lines)


def _rich(columns: Sequence[TerminalColumn], rows: Sequence[Sequence[str]], stream: TextIO) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(Text(column.title), justify="right" if column.right else "left")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    Console(file=stream).print(table)
