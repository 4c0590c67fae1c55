"""``wattribute agent``: the daemon."""

import logging

import click

from wattribute.cli.log import configure
from wattribute.cli.options import AGENT, with_settings
from wattribute.core.settings import effective
from wattribute.settings import Settings

_log = logging.getLogger(__name__)


@click.command()
@click.option(
    "--check",
    is_flag=True,
    help="Check the settings, open every meter and source once, print what works, and exit.",
)
@click.option("--json", "as_json", is_flag=True, help="With --check: print JSON.")
@with_settings(*AGENT)
def agent(*, settings: Settings, check: bool, as_json: bool) -> int:
    """Measure this node, and serve its energy metrics.

    Prometheus scrapes http://127.0.0.1:9102/metrics; a page for people is at
    http://127.0.0.1:9102/. SIGTERM and SIGINT stop the agent within 2 seconds.

    Exit code: 0 after a signal; 2 if the settings are wrong; 5 if an address, or a
    meter or source that the settings name, cannot be used.
    """
    if as_json and not check:
        raise click.UsageError("--json goes with --check")
    from wattribute.node import agent as house

    configure(settings.log)
    if check:
        from wattribute.cli.doctor import report

        return report(house.check(settings.node), as_json=as_json)
    _log.info("settings: %s", effective(settings))
    return house.run_agent(settings.node)
