"""``wattribute weights export``: what the nodes of one CPU model learned, from the ledger."""

from pathlib import Path

import click

from wattribute.cli.extras import needs
from wattribute.cli.options import with_settings
from wattribute.cli.periods import period, with_bounds
from wattribute.core.errors import ConfigInvalid
from wattribute.settings import Settings


@click.command()
@click.option(
    "--cpu",
    required=True,
    metavar="NAME",
    help="CPU model of the nodes, as /proc/cpuinfo shows it. The ledger does not know it.",
)
@click.option("--node", "nodes", multiple=True, metavar="PATTERN",
              help="Only nodes with such a name (pool-a-*); can be repeated.")  # fmt: skip
@click.option("--instance-type", "instance_types", multiple=True, metavar="TYPE",
              help="Only nodes of this instance type; can be repeated.")  # fmt: skip
@with_bounds
@click.option("-o", "--out", type=click.Path(path_type=Path, dir_okay=False), required=True,
              help="File to write.")  # fmt: skip
@with_settings("--ledger")
def export(
    *,
    settings: Settings,
    cpu: str,
    nodes: tuple[str, ...],
    instance_types: tuple[str, ...],
    from_s: int | None,
    to_s: int | None,
    out: Path,
) -> int:
    r"""Pool the watts per core that nodes of one CPU model learned, and write them to a file.

    Ratios of one workload on several nodes are brought to one scale and averaged. The file says
    how far nodes differ, and a new node believes it no more than that.

    \b
    Example:
      wattribute weights export --cpu 'AMD EPYC 9354' --node 'pool-a-*' -o epyc.json

    Exit code: 0; 2 if an option is wrong; 5 if the ledger has no learned weights.
    """
    with needs("chargeback"):
        from wattribute.accounting.ledger.learned import NodeSelection, pool_ledger
        from wattribute.accounting.ledger.store import Store
    from wattribute.core.files import write_whole
    from wattribute.core.records import encode_weights
    from wattribute.node.estimator.cpu_names import cpu_key

    key = cpu_key(cpu)
    if not key:
        raise ConfigInvalid(
            f"--cpu {cpu!r}: no CPU model in this name; give the model name of /proc/cpuinfo"
        )
    start_s, end_s = period(None, from_s, to_s)
    store = Store.at(settings.accounting.ledger.path)
    first_s, last_s = store.days()
    document, notes = pool_ledger(
        store,
        first_s if start_s is None else start_s,
        last_s if end_s is None else end_s,
        key,
        NodeSelection(nodes, instance_types),
    )
    try:
        write_whole(out, encode_weights(document))
    except OSError as exc:
        raise ConfigInvalid(f"--out {out}: cannot be written: {exc.strerror}") from exc
    for note in notes:
        click.echo(f"note: {note}", err=True)
    counts = ", ".join(f"{len(rows)} in {kind}" for kind, rows in document.zones.items())
    click.echo(f"{out}: {key}: workloads: {counts}")
    return 0
