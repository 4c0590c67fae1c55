"""``wattribute scaler``: carbon-aware scaling with KEDA."""

from typing import Final

from wattribute.cli.lazy import LazyGroup
from wattribute.core.registry import Registry

_COMMANDS: Final = Registry(
    "command",
    "wattribute.cli.scaler",
    {
        "serve": ("serve:serve", "Serve KEDA's external scaler over gRPC and JSON."),
        "render": ("render:render", "Write the KEDA manifest for a policy file."),
        "simulate": (
            "simulate:simulate",
            "Replay a policy over recorded data before you use it.",
        ),
    },
)

scaler = LazyGroup(
    "scaler",
    commands=_COMMANDS,
    help_text=(
        "Scale workloads by carbon intensity with KEDA: report less demand while the grid is dirty "
        "or power is short.\n\nKubernetes takes the largest of all triggers, so a second trigger "
        "for carbon could only add replicas. This scaler reduces the demand itself."
        "\n\n\b\nwattribute scaler simulate --policy reports.yaml --carbon grid.csv "
        "--demand queue.csv"
        "\nwattribute scaler render --policy reports.yaml | kubectl apply -f -"
        "\nwattribute scaler serve --config scaler.yaml"
    ),
)
