"""``wattribute scaler``: carbon-aware scaling with KEDA."""

from typing import Final

from wattribute.cli.lazy import LazyGroup
from wattribute.core.registry import Registry

_COMMANDS: Final = Registry(
    "command",
    "wattribute.cli.scaler",
    {
        "serve": ("serve:serve", "KEDA's external scaler, over gRPC and JSON."),
        "render": ("render:render", "Write KEDA's manifest of a policy file."),
        "simulate": (
            "simulate:simulate",
            "Replay a policy over a day or a month, before anyone trusts it.",
        ),
    },
)

scaler = LazyGroup(
    "scaler",
    commands=_COMMANDS,
    help_text=(
        "Carbon-aware scaling with KEDA: demand, held back while the grid is dirty or the power is "
        "short.\n\nThe HPA takes the largest of its triggers, so a second trigger for carbon could "
        "only add replicas. This one wraps the demand itself."
        "\n\n\b\nwattribute scaler simulate --policy reports.yaml --carbon grid.csv "
        "--demand queue.csv"
        "\nwattribute scaler render --policy reports.yaml | kubectl apply -f -"
        "\nwattribute scaler serve --config scaler.yaml"
    ),
)
