"""The whole tree of settings, and how it is loaded: file < environment < flags.

Each wing declares its own part. A function takes the part that it needs, never the whole.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from wattribute.accounting.settings import AccountingSettings
from wattribute.automation.settings import AutomationSettings
from wattribute.core import settings as machinery
from wattribute.core.settings import Section, SettingsTree, flag
from wattribute.node.settings import NodeSettings


class LogSettings(Section, frozen=True):
    """The log, on standard error."""

    level: Annotated[Literal["debug", "info", "warning", "error"], flag("--log-level")] = "info"
    """Lowest level that is written."""
    format: Annotated[Literal["text", "json"], flag("--log-format")] = "text"
    """``text`` for people, ``json`` for log collectors."""


class Settings(SettingsTree, frozen=True):
    """The whole tree. In the file, the sections of all parts are side by side."""

    node: NodeSettings = NodeSettings()
    accounting: AccountingSettings = AccountingSettings()
    automation: AutomationSettings = AutomationSettings()
    log: LogSettings = LogSettings()


def load(config: Path | None, environ: Mapping[str, str], flags: Mapping[str, object]) -> Settings:
    """Load the settings of this program; ``core.settings.load`` describes each argument.

    Raises:
        ConfigInvalid: a key is unknown, or a value is not allowed.
    """
    return machinery.load(Settings, config, environ, flags)
