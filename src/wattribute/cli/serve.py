"""``wattribute serve``: statements as pages and as JSON."""

import click
import msgspec

from wattribute.cli.extras import needs
from wattribute.cli.log import configure
from wattribute.cli.options import with_settings
from wattribute.core.errors import ConfigInvalid
from wattribute.settings import Settings


@click.command()
@click.option("--listen", metavar="HOST:PORT", help="Address to listen on.  [web.listen]")
@click.option(
    "--bill",
    "bills",
    multiple=True,
    metavar="FILE",
    help="Bill, or pattern of files, quoted; several times.  [web.bills]",
)
@click.option("--by", metavar="KEY", help="Whose costs are shown at first.  [web.by]")
@with_settings("--ledger", "--log-level", "--log-format")
def serve(*, settings: Settings, listen: str | None, bills: tuple[str, ...], by: str | None) -> int:
    r"""Serve statements as pages and as JSON, with an OpenCost-shaped /allocation.

    \b
    Example:
      wattribute demo && cd wattribute-demo
      wattribute serve --config wattribute.yaml --bill focus.parquet --by team
      open http://127.0.0.1:9103/

    Each team sees its own part by token, password or a proxy's header: web.teams. Without them
    only this machine can reach it.

    Exit code: 0 at SIGTERM; 2 a setting is wrong; 5 the address cannot be listened on.
    """
    given = {"listen": listen, "bills": bills, "by": by}
    changed = {name: value for name, value in given.items() if value}
    web = msgspec.structs.replace(settings.accounting.web, **changed)
    with needs("web"):
        from wattribute.accounting.web.serve import serve as run
    configure(settings.log)
    if not web.bills and not web.totals:
        raise ConfigInvalid(
            "what was paid? --bill FILE, or web.bills or web.totals in the settings"
        )
    run(msgspec.structs.replace(settings.accounting, web=web))
    return 0
