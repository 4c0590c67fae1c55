"""Command lines in documentation: each must be one that ``wattribute`` or ``make`` has."""

import re
import shlex
from collections.abc import Iterator, Sequence

import click
from tools.tidy import makefile, markdown
from tools.tidy.tree import Offence, Tree

from wattribute.cli.root import root

_BEFORE = {"sudo", "exec", "nice", "nohup", "$", "--"}  # a program may follow these
_TARGET = re.compile(r"[a-z][a-z0-9-]*")
_OMITTED = re.compile(r"\[?(\.\.\.|…)\]?|\$\{\w+\[@\]\}")  # "and so on", or a list of the shell
_PLACEHOLDER = re.compile(r"[A-Z_]+|.*(\.\.\.|…|[{<$]).*")  # of a command or of a choice


def unknown_commands(tree: Tree) -> Iterator[Offence]:
    """Find commands, options and choices that the command line does not have; nothing is run."""
    for path, line, text in _code(tree):
        for words in _calls(text, "wattribute", ".venv/bin/wattribute"):
            if problem := problem_of(words):
                yield Offence(path, line, f"`wattribute {shlex.join(words)}`: {problem}")


def unknown_targets(tree: Tree) -> Iterator[Offence]:
    """Find calls of ``make`` with a target that our Makefile does not have."""
    targets = makefile.targets(tree)
    for path, line, text in _code(tree):
        for words in _calls(text, "make"):
            if words and _TARGET.fullmatch(words[0]) and words[0] not in targets:
                yield Offence(path, line, f"`make {words[0]}`: no such target")


def problem_of(words: Sequence[str]) -> str:
    """Say what ``wattribute WORDS...`` would be refused for, apart from files; "" if nothing."""
    command: click.Command = root
    words = [word.strip("[]") for word in words if not _OMITTED.fullmatch(word)]
    while True:
        context = click.Context(command)
        try:
            values, rest, _ = command.make_parser(context).parse_args(list(words))
        except click.BadOptionUsage:
            return ""  # "with `run --idle-policy`" names an option, and gives it no value
        except click.UsageError as exc:
            return exc.format_message()
        if problem := _wrong_choice(command, context, values):
            return problem
        if not isinstance(command, click.Group):
            return f"unexpected argument {rest[0]}" if rest else ""
        if not rest or _PLACEHOLDER.fullmatch(rest[0]):
            return ""
        part = command.get_command(context, rest[0])
        if part is None:
            return f"no command {rest[0]}"
        command, words = part, rest[1:]


def _wrong_choice(command: click.Command, context: click.Context, values: dict[str, object]) -> str:
    for parameter in command.params:
        if isinstance(parameter.type, click.Choice):
            value = values.get(parameter.name or "")
            for word in value if isinstance(value, list | tuple) else (value,):
                if isinstance(word, str) and not _PLACEHOLDER.fullmatch(word):
                    try:
                        parameter.type.convert(word, parameter, context)
                    except click.UsageError as exc:
                        return exc.format_message()
    return ""


def _code(tree: Tree) -> Iterator[tuple[str, int, str]]:
    """Give path, line and text of code in pages, of scripts, and of commands in our messages."""
    for path, text in tree.matching(".md"):
        for line, span in markdown.spans(text):
            yield path, line, span
        yield from _lines(path, "\n".join(line.text * line.code for line in markdown.lines(text)))
    for suffix in (".sh", "NOTES.txt"):
        for path, text in tree.matching(suffix):
            yield from _lines(path, text)
    for path, text in tree.matching(".py", "src/"):
        for match in re.finditer(r"`(wattribute [^`\n]+)`", text):
            yield path, text.count("\n", 0, match.start()) + 1, match[1]


def _lines(path: str, text: str) -> Iterator[tuple[str, int, str]]:
    """Give each line of shell with the number that it begins at; a continued one is joined."""
    start, joined = 0, ""
    for number, line in enumerate(text.splitlines(), 1):
        start = start or number
        joined += line.strip()
        if joined.endswith("\\"):
            joined = joined.rstrip("\\ ") + " "
            continue
        # Three blanks and more stand before a remark, in the examples of help pages.
        yield path, start, re.split(r"(?<=\S)\s{3,}", joined)[0]
        start, joined = 0, ""


def _calls(text: str, *programs: str) -> Iterator[list[str]]:
    """Give the arguments of each call of a program in one line of shell."""
    if not any(program in text for program in programs):
        return
    lexer = shlex.shlex(text, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    try:
        tokens = list(lexer)
    except ValueError:  # a quote that does not end: prose, or output
        return
    call: list[str] = []
    for token in (*tokens, ";"):
        if not set(token) <= set("|&;()<>"):
            call.append(token)
            continue
        for position, word in enumerate(call):
            before = call[:position]
            if word in programs and (not before or before[-1] in _BEFORE or "=" in before[-1]):
                yield call[position + 1 :]
                break
        call = []
