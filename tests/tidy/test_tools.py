"""The table of tools is whole, and there is one way to start a Python tool."""

from pathlib import Path

import pytest

TOOLS = Path(__file__).parents[2] / "tools"
MODULES = [
    *(path for path in TOOLS.glob("*.py")),
    *(path.parent for path in TOOLS.glob("*/__main__.py")),
]
SCRIPTS = [*TOOLS.glob("*.sh")]


def test_every_tool_is_in_the_table() -> None:
    page = (TOOLS / "README.md").read_text(encoding="utf-8")
    names = [f"tools.{path.stem}" for path in MODULES] + [path.name for path in SCRIPTS]
    missing = [name for name in names if f"| `{name}` |" not in page]

    assert not missing, f"{', '.join(missing)}: add a row to tools/README.md"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_a_python_tool_is_started_as_a_module(path: Path) -> None:
    for file in [path, *path.glob("*.py")]:
        text = file.read_text(encoding="utf-8") if file.is_file() else ""
        assert "python tools/" not in text, f"{file.name}: write python -m tools.{path.stem}"
        assert "sys.path.insert" not in text, f"{file.name}: -m finds the tree without it"
