"""The machinery of settings: sections of typed keys, read from file < environment < flags.

Each wing declares the sections that it needs (``node/settings.py`` and its like);
``wattribute.settings`` puts them together into the whole tree.
"""

from wattribute.core.settings.keys import Key, keys
from wattribute.core.settings.load import effective, load
from wattribute.core.settings.section import Section, SettingsTree, flag, words

__all__ = ["Key", "Section", "SettingsTree", "effective", "flag", "keys", "load", "words"]
