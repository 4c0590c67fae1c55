"""``wattribute model``: train power models, and score them."""

from typing import Final

from wattribute.cli.lazy import LazyGroup

_COMMANDS: Final = {
    "collect": ("wattribute.cli.model.collect:collect", "Record what this machine draws."),
    "train": ("wattribute.cli.model.train:train", "Fit a model on measured data."),
    "serve": ("wattribute.cli.model.serve:serve", "Serve models; take recordings; :8100."),
    "evaluate": ("wattribute.cli.model.evaluate:evaluate", "Score a model on measured data."),
}

model = LazyGroup(
    "model",
    commands=_COMMANDS,
    help_text="The models that estimate power where there is no meter.",
)
