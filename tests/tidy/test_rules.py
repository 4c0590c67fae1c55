"""Each rule finds what it is for, and leaves alone what only looks like it."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tools.tidy.rules import RULES
from tools.tidy.tree import Tree

ROOT = Path(__file__).parents[2]
BY_NAME = {rule.name: rule for rule in RULES}
RECORD = "# 0001 Why\n\n## Context\n\n## Decision\n\n## Consequences\n"
TWO = ("src/a.py", "class A: ...\n"), ("src/b.py", "\nclass A: ...\n")
# Written in two parts, so that the rule does not find them here.
PERSON = "/ho" + "me/jane"
UNFINISHED = "FIX" + "ME"

Check = Callable[..., list[str]]


@pytest.fixture
def check(tmp_path: Path) -> Check:
    """Write files, and give what a rule finds in them: ``path:line: problem``."""

    def run(rule: str, *files: tuple[str, str]) -> list[str]:
        for path, text in files:
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(text)
        tree = Tree(tmp_path, [path for path, _ in files])
        return [str(offence) for offence in BY_NAME[rule].find(tree)]

    return run


def function(lines: int, indent: str = "") -> str:
    return f"{indent}def long():\n" + f"{indent}    x = 1\n" * (lines - 1)


# Rule, path, text, and how the rule's answer begins.
OFFENCES = [
    ("leftovers", "a.md", "a\n" + "<" * 7 + " HEAD\n", "a.md:2: a conflict marker"),
    ("leftovers", "a.py", "=" * 7 + "\n", "a.py:1: a conflict marker"),
    ("leftovers", "a.orig", "", "a.orig:1: a file that an editor, git or patch left"),
    ("leftovers", "a.yaml", f"in: {PERSON}/x", "a.yaml:1: a person's folder"),
    ("leftovers", "a.sh", f"# {UNFINISHED} x", "a.sh:1: unfinished work; open an issue instead"),
    ("long-functions", "src/a.py", function(71), "src/a.py:1: long has 71 lines"),
    ("long-functions", "tests/a.py", "class A:\n" + function(71, "    "),
     "tests/a.py:2: long has 71 lines"),
    ("long-modules", "src/a.py", "x = 1\n" * 401, "src/a.py:1: 401 lines"),
    ("short-docstrings", "src/a.py", '"""One row."""', 'src/a.py:1: the module: "One row."'),
    ("short-docstrings", "bench/a.py", 'class _A:\n    """Row."""', 'bench/a.py:1: _A: "Row."'),
    ("bare-names", "src/a.py", "found = 1", "src/a.py:1: `found`"),
    ("bare-names", "src/a.py", "def _told(): ...", "src/a.py:1: `_told`"),
    ("bare-names", "src/a.py", "def f(*, of): ...", "src/a.py:1: `of`"),
    ("bare-names", "src/a.py", "x = [1 for one in y]", "src/a.py:1: `one`"),
    ("repeated-classes", "src/a.py", "if x:\n  class A: ...\nelse:\n  class A: ...\n",
     "src/a.py:2: class A is also in this file"),
    ("vague-modules", "src/utils/a.py", "", "src/utils/a.py:1: `utils` would fit any content"),
    ("test-sleeps", "tests/a.py", "import time\ntime.sleep(1)", "tests/a.py:2: time.sleep(1)"),
    ("test-sleeps", "tests/a.py", "async def f(): await sleep(n)", "tests/a.py:1: sleep(n)"),
    ("private-reads", "tests/a.py", "\nassert a.b._c.d == 1", "tests/a.py:2: a.b._c"),
    ("private-reads", "tests/a.py", "from a import b, _c", "tests/a.py:1: import _c"),
    ("dead-links", "a.md", "[x](b.md)", "a.md:1: b.md: there is no b.md"),
    ("dead-links", "d/a.md", "![x](../b.png)", "d/a.md:1: ../b.png: there is no b.png"),
    ("dead-links", "a.md", "# One\n\n[x](#two)", "a.md:3: #two: no such heading in a.md"),
    ("dead-links", "a.md", "[x]: b.md", "a.md:1: b.md: there is no b.md"),
    ("dead-paths", "d/a.md", "See `d/b`.", "d/a.md:1: there is no d/b"),
    ("dead-paths", "d/a.md", "See `meter/rapl.py`.", "d/a.md:1: there is no meter/rapl.py"),
    ("wide-lines", "a.md", "x" * 141, "a.md:1: 141 columns"),
    ("unknown-commands", "a.md", "```sh\nwattribute run --fast \\\n -- ls\n```\n",
     "a.md:2: `wattribute run --fast -- ls`: No such option '--fast'."),
    ("unknown-commands", "a.md", "`wattribute\nfly`", "a.md:1: `wattribute fly`: no command fly"),
    ("unknown-commands", "a.md", "`wattribute top me`",
     "a.md:1: `wattribute top me`: unexpected argument me"),
    ("unknown-commands", "a.md", "`wattribute top --by cat`",
     "a.md:1: `wattribute top --by cat`: Invalid value for '--by': 'cat' is not one of"),
    ("unknown-commands", "src/a.py", 'x = "\\n`wattribute gate fly`"',
     "src/a.py:1: `wattribute gate fly`: no command fly"),
    ("unknown-commands", "c/NOTES.txt", "kubectl exec x -- wattribute fly",
     "c/NOTES.txt:1: `wattribute fly`: no command fly"),
    ("unknown-targets", "a.md", "`make fly`", "a.md:1: `make fly`: no such target"),
    ("phony-targets", "Makefile", ".PHONY: a \\\n\tb\na b c:\n",
     "Makefile:3: c is not in .PHONY"),
    ("phony-targets", "Makefile", ".PHONY: a b\na:\n",
     "Makefile:1: .PHONY names b, which is no target"),
    ("decision-records", "docs/decisions/0001-why.md", RECORD,
     "docs/decisions/0001-why.md:1: not listed in docs/decisions/README.md"),
    ("decision-records", "docs/decisions/0002-why.md", RECORD,
     "docs/decisions/0002-why.md:1: the title begins with `# 0002 `"),
    ("decision-records", "docs/decisions/0001-why.md", "# 0001 Why\n",
     "docs/decisions/0001-why.md:1: no heading `## Context`"),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "path", "text", "said"), OFFENCES)
def test_an_offence_is_found(check: Check, rule: str, path: str, text: str, said: str) -> None:
    assert [line for line in check(rule, (path, text)) if line.startswith(said)]


def test_an_offence_of_two_files_is_found_in_both(check: Check) -> None:
    assert check("repeated-classes", *TWO) == [
        "src/a.py:1: class A is also in src/b.py:2",
        "src/b.py:2: class A is also in src/a.py:1",
    ]
    first, second = "docs/decisions/0001-a.md", "docs/decisions/0001-b.md"
    assert f"{second}:1: {first} has the same number" in check(
        "decision-records", (first, RECORD), (second, RECORD)
    )


INNOCENT = [
    ("leftovers", "a.md", "x\n" + "=" * 8 + "\n<<<<<<<x\n"),
    ("leftovers", "a.py", 'DRIVER = "/home/kubernetes/bin/nvidia"'),
    ("long-functions", "src/a.py", function(70)),
    ("long-modules", "src/a.py", "x = 1\n" * 400),
    ("short-docstrings", "src/a.py", '"""Rows of one hour."""'),
    ("short-docstrings", "tests/a.py", '"""Rows."""'),
    ("bare-names", "src/a.py", "lost_zones = x.lost\nclass A:\n  def __eq__(self, other): ..."),
    ("bare-names", "tests/a.py", "found = 1"),
    ("repeated-classes", "src/a.py", "class A: ...\nclass _B: ...\nx = A\nclass B: ..."),
    ("vague-modules", "src/utility_bill.py", ""),
    ("test-sleeps", "tests/a.py", 'PROGRAM = "time.sleep(1)"  # sleep(1)\nx.sleep'),
    ("test-sleeps", "tests/a.py", "await asyncio.sleep(0)"),
    ("test-sleeps", "src/a.py", "time.sleep(1)"),
    ("private-reads", "tests/a.py", 'self._a + cls._b + c.__dict__ + _d  # e._f\ng = "h._i"'),
    ("private-reads", "tests/a.py", "os._exit(0)"),
    ("private-reads", "src/a.py", "a._b"),
    ("dead-links", "a.md", "# A `b` [c](a.md), d!\n\n[x](#a-b-c-d) [y](a.md) `[z](z)`"),
    ("dead-links", "a.md", "# A\n# A\n[x](#a-1)\n```\n[x](y)\n```\n[z](https://z/)"),
    ("dead-paths", "d/a.md", "`d/a.md`, `d/*.md`, `/d/b`, `and/or`, `GET d`"),
    ("wide-lines", "a.md", "x" * 140 + "\n| " + "x" * 140 + " |\n```\n" + "x" * 150 + "\n```\n"),
    ("wide-lines", "a.md", "[x](" + "y" * 140 + ")"),
    ("wide-lines", "a.md", "<!-- Generated by `x`; do not edit. -->\n" + "x" * 141),
    ("unknown-commands", "a.md", "`wattribute run --idle-policy` and `wattribute explain ROW`"),
    ("unknown-commands", "a.md", "`wattribute gate run -- pytest --fast`, `wattribute gate ...`"),
    ("unknown-commands", "a.md", "```\nwattribute demo && cd x # x\nwattribute: not so\n```\n"),
    ("unknown-commands", "a.md", "```\nwattribute doctor    what works\n```\nwattribute flies\n"),
    ("unknown-commands", "a.md", "`helm install wattribute wattribute/wattribute --set x=y`"),
    ("unknown-targets", "a.md", "`make -j8`, and you make fly"),
    ("phony-targets", "Makefile", ".PHONY: a\nX := y:z\na: b.txt ## help: a\n"),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "path", "text"), INNOCENT)
def test_what_only_looks_like_an_offence_is_left_alone(
    check: Check, rule: str, path: str, text: str
) -> None:
    assert check(rule, (path, text)) == []


def test_a_record_by_the_template_is_left_alone(check: Check) -> None:
    readme = "docs/decisions/README.md", "* [0001](0001-why.md) Why\n"

    assert check("decision-records", ("docs/decisions/0001-why.md", RECORD), readme) == []


def test_files_that_are_not_text_or_are_gone_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"\x89PNG\xff")

    assert Tree(tmp_path, ["a.png", "deleted.py"]).texts == {}


def test_the_checkout_has_this_file_before_it_is_committed() -> None:
    texts = Tree.of_checkout(ROOT).texts

    assert str(Path(__file__).relative_to(ROOT)) in texts
    assert not any(path.startswith(".venv") for path in texts)


def test_every_rule_is_tried_above_and_described_in_contributing() -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text()

    assert {case[0] for case in OFFENCES} == BY_NAME.keys()
    assert [name for name in BY_NAME if f"| `{name}` |" not in page] == []
