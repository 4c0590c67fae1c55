"""``wattribute model``: train power models, and score them."""

from typing import Final

from wattribute.cli.lazy import LazyGroup
from wattribute.core.registry import Registry

_COMMANDS: Final = Registry(
    "command",
    "wattribute.cli.model",
    {
        "collect": ("collect:collect", "Record what this machine draws."),
        "train": ("train:train", "Fit a model on measured data."),
        "serve": ("serve:serve", "Serve models; take recordings; :8100."),
        "evaluate": ("evaluate:evaluate", "Score a model on measured data."),
    },
)

model = LazyGroup(
    "model",
    commands=_COMMANDS,
    help_text="The models that estimate power where there is no meter.",
)
