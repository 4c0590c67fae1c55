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
    help="Bill, or a quoted pattern of files. May be repeated.  [web.bills]",
)
@click.option(
    "--by",
    metavar="KEY",
    help="Who pays, on the first page: team, namespace, label:NAME, ...  [web.by]",
)
@with_settings("--ledger", "--log-level", "--log-format")
def serve(*, settings: Settings, listen: str | None, bills: tuple[str, ...], by: str | None) -> int:
    r"""Serve statements as web pages and JSON, with an /allocation API like OpenCost's.

    \b
    Example:
      wattribute demo && cd wattribute-demo
      wattribute serve --config wattribute.yaml --bill focus.parquet --by team
      open http://127.0.0.1:9103/

    The setting web.teams gives each team access to its own part, by token, password or a header of
    a proxy. Without it, only this machine can connect.

    Exit code: 0 after SIGTERM; 2 if a setting is wrong; 5 if the address cannot be used.
    """
    given = {"listen": listen, "bills": bills, "by": by}
    changed = {name: value for name, value in given.items() if value}
    web = msgspec.structs.replace(settings.accounting.web, **changed)
    with needs("web"):
        from wattribute.accounting.web.serve import serve as run
    configure(settings.log)
    if not web.bills and not web.totals:
        raise ConfigInvalid(
            "No bill given. Pass --bill FILE, or set web.bills or web.totals in the settings."
        )
    run(msgspec.structs.replace(settings.accounting, web=web))
    return 0
