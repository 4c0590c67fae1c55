"""Files and lines that were never meant to be committed."""

import re
from collections.abc import Iterator

from tools.tidy.tree import Offence, Tree

_FILE = re.compile(r"\.(orig|rej|bak|swp|tmp)$|~$|(^|/)\.DS_Store$")
_LINES = {
    "a conflict marker": re.compile(r"^(<{7}|\|{7}|={7}|>{7})(\s|$)"),
    # A path on the nodes of a cloud is a fact; a person's folder is not.
    "a person's folder": re.compile(r"(?<![\w.}])/(home|Users)/(?!kubernetes/)[\w.-]+"),
}
_UNFINISHED = re.compile(r"\b(TODO|FIXME|HACK)\b")  # in Python files ruff finds them (TD, FIX)


def leftovers(tree: Tree) -> Iterator[Offence]:
    """Find conflict markers, editors' files, paths of one developer, and unfinished work."""
    for path, text in tree.texts.items():
        if _FILE.search(path):
            yield Offence(path, 1, "a file that an editor, git or patch left")
        for number, line in enumerate(text.splitlines(), 1):
            for what, pattern in _LINES.items():
                if pattern.search(line):
                    yield Offence(path, number, what)
            if not path.endswith(".py") and _UNFINISHED.search(line):
                yield Offence(path, number, "unfinished work; open an issue instead")
