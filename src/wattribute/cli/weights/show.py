"""``wattribute weights show``: the workloads in a file of pooled weights."""

from pathlib import Path
from typing import Final

import click

from wattribute.cli.terminal import TerminalColumn, clean, print_table
from wattribute.cli.weights.document import read_document

_COLUMNS: Final = (
    TerminalColumn("ZONE"),
    TerminalColumn("NAMESPACE"),
    TerminalColumn("OWNER"),
    TerminalColumn("CONTAINER"),
    TerminalColumn("W/CORE", right=True),
    TerminalColumn("90 % BAND", right=True),
    TerminalColumn("NODES", right=True),
    TerminalColumn("CPU HOURS", right=True),
    TerminalColumn("GROUP", right=True),
)


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def show(*, file: Path) -> int:
    """Show the workloads of a file, those with the most CPU time first.

    W/CORE is against the mean of the pool. The band is that of a node which is not in the pool.

    Exit code: 0; 5 if the file is no pooled weights.
    """
    _, weights = read_document(file)
    click.echo(
        f"{clean(weights.cpu)}, {clean(weights.method)}, written {clean(weights.written_at)}"
    )
    rows = [
        (
            kind,
            row.namespace or "-",
            "/".join(filter(None, (row.owner_kind, row.owner_name))) or "-",
            row.container or "-",
            f"{row.ratio:.2f}",
            "{:.2f} to {:.2f}".format(*row.band),
            str(row.nodes),
            f"{row.cpu_hours:,.1f}",
            str(row.group),
        )
        for kind, workloads in weights.zones.items()
        for row in sorted(workloads, key=lambda row: -row.cpu_hours)
    ]
    print_table(_COLUMNS, rows)
    return 0
