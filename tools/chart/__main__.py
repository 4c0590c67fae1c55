"""The command line of this folder."""

import argparse
import sys
from pathlib import Path

from tools.chart import package, schema, values_page


def main() -> int:
    """Run what the arguments say; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.chart")
    commands = parser.add_subparsers(dest="command", required=True)
    docs = commands.add_parser("docs", help="write the values page and the schema of `config`")
    docs.add_argument("--check", action="store_true", help="write nothing; exit 1 if one is stale")
    pack = commands.add_parser("package", help="the chart's archive, and the repository's index")
    pack.add_argument("folder", type=Path)
    pack.add_argument("--repository", default="", help="where the image was pushed to")
    pack.add_argument("--digest", default="", help="the image's digest there")
    arguments = parser.parse_args()
    if arguments.command == "docs":
        return _docs(check=arguments.check)
    archive = package.package(arguments.folder, arguments.repository, arguments.digest)
    print(archive)
    print(package.write_index(arguments.folder))
    return 0


def _docs(*, check: bool) -> int:
    stale = False
    for path, text in ((values_page.PATH, values_page.render()), (schema.PATH, schema.render())):
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        stale = True
        if check:
            print(f"{path}: stale; run `make docs`", file=sys.stderr)
        else:
            path.write_text(text, encoding="utf-8")
            print(f"{path}: written")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
