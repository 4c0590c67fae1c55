"""``wattribute gate``: fail a build when its energy regresses."""

from typing import Final

from wattribute.cli.lazy import LazyGroup
from wattribute.core.registry import Registry

_COMMANDS: Final = Registry(
    "command",
    "wattribute.cli.gate",
    {
        "run": ("run:run", "Measure a command several times."),
        "query": ("query:query", "Ask Prometheus how much energy pods used."),
        "baseline": ("baseline:baseline", "Store the measured runs as the baseline."),
        "check": ("check:check", "Compare the measured runs with the baseline: pass or fail."),
        "ab": ("ab:ab", "Measure two revisions in turn and compare them: pass or fail."),
    },
)

gate = LazyGroup(
    "gate",
    commands=_COMMANDS,
    help_text=(
        "Fail a build when it uses more energy. Statistical tests tell a regression from noise."
        "\n\nExit codes: 0 pass, 1 regression, 2 usage, 3 too noisy to tell, 4 no comparable "
        "baseline, 5 source or permission, or the command itself failed."
        "\n\n\b\nwattribute gate run --runs 7 -- pytest -q tests/perf"
        "\nwattribute gate baseline update"
        "\nwattribute gate check --max-regression 5%"
        "\n\nOr, without a baseline, both revisions in one job:"
        "\n\n\b\nwattribute gate ab --base origin/main -- pytest -q tests/perf"
    ),
)
