"""``wattribute scaler serve``."""

import click

from wattribute.cli.extras import needs
from wattribute.cli.options import with_settings
from wattribute.settings import Settings


@click.command()
@with_settings("--prometheus", "--log-level", "--log-format")
def serve(*, settings: Settings) -> int:
    r"""Serve KEDA's external scaler over gRPC (port 9104) and JSON (port 9105, with /metrics).

    The settings hold the PromQL queries, as templates by name:

    \b
    # scaler.yaml
    ledger: {prometheus_url: "http://prometheus:9090"}
    carbon: {location: DE, sources: [electricity-maps], electricity_maps_token_file: token}
    scaler:
      queries: {queue: 'sum(queue_length{exported_namespace="$namespace",queue="$workload"})'}

    \b
    wattribute scaler serve --config scaler.yaml

    Exit code: 0 after a signal; 2 if a setting is wrong; 5 if an address cannot be used.
    """
    from wattribute.cli.log import configure

    with needs("scaler"):
        from wattribute.automation.scaler import serve as house
    configure(settings.log)
    house.serve(settings.automation.scaler, settings.accounting)
    return 0
