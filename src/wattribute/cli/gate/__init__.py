"""``wattribute gate``: fail a build when its energy regresses."""

from typing import Final

from wattribute.cli.lazy import LazyGroup
from wattribute.core.registry import Registry

_COMMANDS: Final = Registry(
    "command",
    "wattribute.cli.gate",
    {
        "run": ("run:run", "Measure a command, some times over."),
        "query": ("query:query", "Ask Prometheus what pods used, instead."),
        "baseline": ("baseline:baseline", "Keep what was measured as the baseline."),
        "check": ("check:check", "Compare with the baseline: pass or fail."),
        "ab": ("ab:ab", "Compare two revisions, measured in turn: pass or fail."),
    },
)

gate = LazyGroup(
    "gate",
    commands=_COMMANDS,
    help_text=(
        "Fail a build when its energy regresses, by statistics: no false alarms, no silent passes."
        "\n\nExit codes: 0 pass, 1 regression, 2 usage, 3 too noisy to tell, 4 no comparable "
        "baseline, 5 source or permission, or the command itself failed."
        "\n\n\b\nwattribute gate run --runs 7 -- pytest -q tests/perf"
        "\nwattribute gate baseline update"
        "\nwattribute gate check --max-regression 5%"
        "\n\nOr, without a baseline, both revisions in one job:"
        "\n\n\b\nwattribute gate ab --base origin/main -- pytest -q tests/perf"
    ),
)
