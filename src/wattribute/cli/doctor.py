"""``wattribute doctor``: what works on this machine, what does not, and what would fix it."""

from typing import TYPE_CHECKING, Final

import click
import msgspec

from wattribute.cli.log import configure
from wattribute.cli.options import MEASURING, with_settings
from wattribute.cli.terminal import TerminalColumn, print_table
from wattribute.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wattribute.node.findings import SourceFinding

_COLUMNS: Final = (
    TerminalColumn("PART"),
    TerminalColumn("NAME"),
    TerminalColumn("STATE"),
    TerminalColumn("WHAT IT SAYS"),
)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_settings(*MEASURING)
def doctor(*, settings: Settings, as_json: bool) -> int:
    """Show each meter, activity source and name source: that it works, or why it does not.

    Exit code: 0; 1 if nothing can be measured or estimated.
    """
    from wattribute.node import agent as house

    configure(settings.log)
    return report(house.check(settings.node), as_json=as_json)


def report(findings: "Sequence[SourceFinding]", *, as_json: bool) -> int:
    """Print the findings; the exit code is 1 if no meter works (the estimate is one)."""
    usable = any(finding.part == "meter" and finding.state == "works" for finding in findings)
    if as_json:
        body = {"usable": usable, "findings": findings}
        click.echo(msgspec.json.format(msgspec.json.encode(body)).decode())
    else:
        print_table(_COLUMNS, [(f.part, f.name, f.state, f.message) for f in findings])
    if not usable:
        click.echo(
            "wattribute: energy can neither be measured nor estimated on this machine", err=True
        )
    return 0 if usable else 1
