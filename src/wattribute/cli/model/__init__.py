"""``wattribute model``: train power models, and score them."""

from typing import Final

from wattribute.cli.lazy import LazyGroup
from wattribute.core.registry import Registry

_COMMANDS: Final = Registry(
    "command",
    "wattribute.cli.model",
    {
        "collect": ("collect:collect", "Record the power of this machine under load."),
        "train": ("train:train", "Fit a power model to measured data."),
        "serve": ("serve:serve", "Serve models to agents, and accept recordings, at :8100."),
        "evaluate": ("evaluate:evaluate", "Compare a model with measured data."),
    },
)

model = LazyGroup(
    "model",
    commands=_COMMANDS,
    help_text="Train and serve the models that estimate power where there is no meter.",
)
