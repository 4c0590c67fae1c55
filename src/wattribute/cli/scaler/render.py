"""``wattribute scaler render``."""

from pathlib import Path
from typing import Final, cast

import click
import msgspec

from wattribute.cli.extras import needs

_TRIGGERS: Final = ("external", "external-push", "metrics-api", "prometheus")


@click.command()
@click.option(
    "--policy",
    "policy_file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    required=True,
    help="Policy file (YAML).",
)
@click.option(
    "--trigger",
    type=click.Choice(_TRIGGERS),
    default="external",
    show_default=True,
    help="KEDA trigger. metrics-api and prometheus need the policy in the setting scaler.policies.",
)
@click.option(
    "--scaler-address",
    default="wattribute-scaler.wattribute:9104",
    show_default=True,
    metavar="HOST:PORT",
    help="Address at which KEDA reaches the scaler's gRPC.",
)
@click.option(
    "--json-url",
    default="http://wattribute-scaler.wattribute:9105",
    show_default=True,
    metavar="URL",
    help="URL of the scaler's JSON, for the trigger metrics-api.",
)
@click.option(
    "--prometheus-address",
    default="http://prometheus-operated.monitoring:9090",
    show_default=True,
    metavar="URL",
    help="Prometheus that scrapes the scaler, for the trigger prometheus.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def render(
    *,
    policy_file: Path,
    trigger: str,
    scaler_address: str,
    json_url: str,
    prometheus_address: str,
    as_json: bool,
) -> int:
    r"""Write the KEDA ScaledObject or ScaledJob for a policy file.

    \b
    # reports.yaml
    name: reports
    namespace: shop
    scaleTargetRef: {name: report-worker}
    policy:
      policy: intensity
      query: queue          # a template of the scaler's settings
      target: 5             # demand per replica
      region: DE
      emissionThreshold: 300
      maxReplicas: 20
      failOpenReplicas: 4

    \b
    wattribute scaler render --policy reports.yaml | kubectl apply -f -
    """
    with needs("scaler"):
        from wattribute.automation.scaler.policy_file import read_policy_file
        from wattribute.automation.scaler.render import Addresses, Trigger, manifest
    file, policy = read_policy_file(policy_file)
    body = manifest(
        file,
        policy,
        cast("Trigger", trigger),
        Addresses(scaler_address, json_url, prometheus_address),
    )
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(body)).decode())
    else:
        import yaml

        click.echo(yaml.safe_dump(body, sort_keys=False), nl=False)
    return 0
