"""The table of rules."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from tools.tidy.commands import unknown_commands, unknown_targets
from tools.tidy.decisions import decision_records
from tools.tidy.docstrings import short_docstrings
from tools.tidy.habits import private_reads, test_sleeps
from tools.tidy.leftovers import leftovers
from tools.tidy.makefile import phony_targets
from tools.tidy.names import bare_names, repeated_classes, vague_modules
from tools.tidy.pages import dead_links, dead_paths, wide_lines
from tools.tidy.size import FUNCTION_LINES, MODULE_LINES, long_functions, long_modules
from tools.tidy.tree import Offence, Tree


@dataclass(frozen=True)
class Rule:
    """A rule: its name in ``known.toml``, how to find offences, and what to do about one."""

    name: str
    find: Callable[[Tree], Iterable[Offence]]
    remedy: str


RULES: Final = (
    Rule("leftovers", leftovers, "Remove it: this was not meant to be committed."),
    Rule(
        "long-functions",
        long_functions,
        f"Make two functions of it, each with a name of its own: over {FUNCTION_LINES} lines.",
    ),
    Rule(
        "long-modules",
        long_modules,
        f"Make two modules of it, each about one thing: over {MODULE_LINES} lines.",
    ),
    Rule(
        "short-docstrings",
        short_docstrings,
        "Write a full sentence that names its object, or the reader learns nothing.",
    ),
    Rule(
        "bare-names",
        bare_names,
        "Name the thing: `missing_zones`, not `found`; `container`, not `one`.",
    ),
    Rule(
        "repeated-classes",
        repeated_classes,
        "Rename one of them, or use one class in both places.",
    ),
    Rule("vague-modules", vague_modules, "Name the module for what is in it."),
    Rule(
        "test-sleeps",
        test_sleeps,
        "Wait for a condition with wattribute_testing.waiting: `wait_until`, or `always`.",
    ),
    Rule(
        "private-reads",
        private_reads,
        "Test what callers see; where they see too little, give the class a public member.",
    ),
    Rule("dead-links", dead_links, "Correct the link, or the heading that it means."),
    Rule("dead-paths", dead_paths, "Correct the path, or take it out: what it named is gone."),
    Rule("wide-lines", wide_lines, "Break the line; one idea a sentence makes that easy."),
    Rule(
        "unknown-commands",
        unknown_commands,
        "Write a command line that `wattribute --help` knows.",
    ),
    Rule("unknown-targets", unknown_targets, "Write a target that `make help` knows."),
    Rule("phony-targets", phony_targets, "Make `.PHONY` and the targets agree."),
    Rule(
        "decision-records",
        decision_records,
        "Follow docs/decisions/0000-template.md, and list the record in the README there.",
    ),
)
