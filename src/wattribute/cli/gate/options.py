"""Flags that several subcommands of ``gate`` have."""

import functools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click

from wattribute.automation.gate.decision import Rules
from wattribute.automation.gate.metrics import METRICS
from wattribute.automation.gate.output import FORMATS
from wattribute.automation.gate.series import RESULTS
from wattribute.core.errors import ConfigInvalid

BASELINE: Final = Path(".energy-baseline.json")
_PART: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(%?)")


def part(text: str) -> float:
    """Read a part of a whole: ``5%`` or ``0.05``.

    Raises:
        ConfigInvalid: the text is neither.
    """
    match = _PART.fullmatch(text.strip())
    if match is None:
        raise ConfigInvalid(f"{text!r} is not a percentage, such as 5%")
    number = float(match[1])
    if match[2]:
        return number / 100
    if number >= 1:
        raise ConfigInvalid(f"{text!r}: say {match[1]}% if you mean percent")
    return number


def results_option(text: str) -> Callable[..., Any]:
    """Make the option ``--results FILE`` with this help."""
    return click.option(
        "--results",
        type=click.Path(path_type=Path, dir_okay=False),
        default=RESULTS,
        show_default=True,
        help=text,
    )


_RULES: Final = (
    ("max_regression", "Tolerance: fail if new certainly uses this much more than base."),
    ("estimated_margin", "Added to the tolerance if energy is estimated, not measured."),
    ("min_effect", "Never fail for a smaller regression than this, however certain."),
    (
        "detect",
        "Pass only if a regression of this much beyond the tolerance is excluded; else exit 3.",
    ),
    ("max_spread", "Exit 3 if the runs differ from each other by more than this."),
    (
        "max_busy",
        "Exit 3 if other programs used more of the CPU time. Checked against a baseline only.",
    ),
    ("alpha", "Probability of a false alarm in this check."),
)


def deciding(command: Callable[..., int]) -> Callable[..., int]:
    """Give a command the flags of ``Rules``, metrics, limits and reports.

    It gets ``rules``, ``metrics``, ``limits`` and ``reports``.
    """

    @functools.wraps(command)
    def decided(**given: Any) -> int:  # noqa: ANN401 - as click gives them
        from wattribute.automation.gate.check import parse_limit, parse_metrics

        values = {name: part(given.pop(name)) for name, _ in _RULES}
        if not 0 < values["alpha"] < 0.5:
            raise ConfigInvalid(f"--alpha {values['alpha']:g}: must be more than 0, less than 50%")
        metric, absolute = given.pop("metric"), given.pop("absolute")
        reports = [*(("json",) if given.pop("as_json") else ()), *given.pop("report")]
        return command(
            rules=Rules(**values),
            metrics=parse_metrics(metric),
            limits=[parse_limit(text) for text in absolute],
            reports=[_report(text) for text in reports],
            **given,
        )

    decorated: Callable[..., int] = decided
    decorated = click.option("--json", "as_json", is_flag=True, help="Same as --report json.")(
        decorated
    )
    decorated = click.option(
        "--report",
        multiple=True,
        metavar="FORMAT[=FILE]",
        help="Print the report in this format, or write it to FILE and print the table too: "
        f"{', '.join(FORMATS.names)}. May be repeated.",
    )(decorated)
    for name, text in reversed(_RULES):
        decorated = click.option(
            f"--{name.replace('_', '-')}",
            default=f"{100 * getattr(Rules(), name):g}%",
            show_default=True,
            help=text,
            metavar="PERCENT",
        )(decorated)
    decorated = click.option(
        "--absolute",
        multiple=True,
        metavar="METRIC<NUMBER",
        help="Fail if a metric is certainly above a limit: 'energy_j<500'. May be repeated.",
    )(decorated)
    return click.option(
        "--metric",
        default="energy_j",
        show_default=True,
        metavar="NAME,...",
        help=f"Metrics to compare: {', '.join(METRICS)}.",
    )(decorated)


def _report(text: str) -> tuple[str, Path | None]:
    name, equals, file = text.partition("=")
    if name not in FORMATS.names:
        raise ConfigInvalid(f"--report {text}: {name!r} is not one of {', '.join(FORMATS.names)}")
    if equals and not file:
        raise ConfigInvalid(f"--report {text}: name a file after the =")
    return name, Path(file) if file else None
