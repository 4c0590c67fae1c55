"""The command ``wattribute``: each subcommand imports its part lazily.

Exit codes: 0 ok, 1 negative answer, 2 usage or settings, 5 source or permission.
"""

import os
import sys
from collections.abc import Sequence

import click

from wattribute.core.errors import ConfigInvalid, Unbalanced, WattributeError


def main() -> None:
    """Run the command line, and exit with its code."""
    sys.exit(invoke(sys.argv[1:]))


def invoke(arguments: Sequence[str]) -> int:
    """Run the command line (``run`` is one of its commands, and a module here).

    Returns:
        The exit code. Expected errors are one line on standard error.
    """
    from wattribute.cli.root import root

    try:
        code = root.main(list(arguments), prog_name="wattribute", standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as exc:
        exc.show()
        return exc.exit_code
    except (click.Abort, KeyboardInterrupt):
        return 130  # 128 + SIGINT, as shells say it
    except WattributeError as exc:
        click.echo(f"wattribute: error: {exc}", err=True)
        return exit_code_of(exc)
    except BrokenPipeError:
        # The reader (`| head`) has gone, which needs no word. Python would complain
        # when it flushes on the way out, so that goes nowhere. click does the same
        # for what it writes itself.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return code if isinstance(code, int) else 0


def exit_code_of(error: WattributeError) -> int:
    """The exit code that an error stands for."""
    if isinstance(error, ConfigInvalid):
        return 2
    return 1 if isinstance(error, Unbalanced) else 5
