"""The whole tree of settings, and how it is loaded: file < environment < flags.

Each wing declares its own part. A function takes the part that it needs, never the whole.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from wattribute.accounting.settings import AccountingSettings
from wattribute.automation.settings import AutomationSettings
from wattribute.core import settings as machinery
from wattribute.core.settings import Section, Tree, flag
from wattribute.node.settings import NodeSettings


class LogSettings(Section, frozen=True):
    """The log, on standard error."""

    level: Annotated[Literal["debug", "info", "warning", "error"], flag("--log-level")] = "info"
    """Least level that is written."""
    format: Annotated[Literal["text", "json"], flag("--log-format")] = "text"
    """``text`` for people, ``json`` for log collectors."""


class Settings(Tree, frozen=True):
    """The whole tree; in the file the sections of all parts stand side by side."""

    node: NodeSettings = NodeSettings()
    accounting: AccountingSettings = AccountingSettings()
    automation: AutomationSettings = AutomationSettings()
    log: LogSettings = LogSettings()


def load(config: Path | None, environ: Mapping[str, str], flags: Mapping[str, object]) -> Settings:
    """The settings of this program; ``core.settings.load`` says what each argument is.

    Raises:
        ConfigInvalid: a key that is not known, or a value that is not allowed.
    """
    return machinery.load(Settings, config, environ, flags)
