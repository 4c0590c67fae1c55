"""Cases -> docs/reference/gpu-validation.md."""

from collections.abc import Mapping, Sequence

from tools.gpu.watch import Case

_COLUMNS = (
    "case", "loads (duty)", "s", "counter J", "monitor J", "floor J", "above floor W", "shares J",
    "others J", "unattributed J", "gap uJ", "busy", "worst tick ms",
)  # fmt: skip
_INTRODUCTION = """\
# GPU validation

<!-- Written by `make gpu-validate` on a machine with a GPU; do not edit. -->

"""


def render(
    cases: Sequence[Case], devices: Sequence[str], driver: str, date: str, notes: Sequence[str]
) -> str:
    """Return the page of the validation as Markdown."""
    lines = [
        f"{date}, driver {driver}:",
        "",
        *(f"* {device}" for device in devices),
        "",
        "Counter: the devices' own energy counters, asked of NVML beside the monitor. Gap: energy",
        "less floor, shares and unattributed; anything but 0 is a bug. Power is above the floor.",
        "",
        f"| {' | '.join(_COLUMNS)} |",
        "|---" * len(_COLUMNS) + "|",
        *map(_row, cases),
        "",
        "## What follows",
        "",
        *(f"* {line}" for line in (*_findings({case.name: case for case in cases}), *notes)),
    ]
    return _INTRODUCTION + "\n".join(lines) + "\n"


def _row(case: Case) -> str:
    cells = (
        case.name,
        ", ".join(f"{load.duty:g}" for load in case.loads) or "none",
        f"{case.elapsed_s:.1f}",
        f"{case.counter_j:.1f}",
        f"{case.node_j:.1f}",
        f"{case.floor_j:.1f}",
        f"{case.dynamic_w:.1f}",
        ", ".join(f"{share:.1f}" for share in case.shares_j) or "none",
        f"{case.others_j:.1f}",
        f"{case.unattributed_j:.1f}",
        str(case.gap_uj),
        f"{case.busy:.0%}",
        f"{case.tick_cpu_ms:.1f}",
    )
    return f"| {' | '.join(cells)} |"


def _findings(cases: Mapping[str, Case]) -> list[str]:
    exact = all(case.gap_uj == 0 for case in cases.values())
    worst = max((_off(case.node_j, case.counter_j) for case in cases.values()), default=0.0)
    are = "are" if exact else "ARE NOT"
    found = [
        f"Shares, floor and unattributed {are} the monitor's energy to the microjoule.",
        f"The monitor's energy is within {worst:.1%} of the counter, read at other instants.",
    ]
    large, small = cases.get("one load"), cases.get("one small load")
    for name in ("two loads", "two loads, MPS"):
        both = cases.get(name)
        if large and small and both and sum(both.shares_j) > 0:
            alone = large.dynamic_w / max(large.dynamic_w + small.dynamic_w, 1e-9)
            got = both.shares_j[0] / sum(both.shares_j)
            found.append(
                f"{name}: the larger gets {got:.1%} of what both get; alone it draws {alone:.1%} "
                "of what they draw alone together."
            )
    short = cases.get("short job")
    if large and short:
        expected_j = large.dynamic_w * short.loads[0].seconds
        found.append(
            f"A job of {short.loads[0].seconds:g} s got {short.shares_j[0]:.1f} J; at the power of "
            f"such a load alone it is {expected_j:.1f} J."
        )
    return found


def _off(one: float, other: float) -> float:
    return abs(one - other) / max(abs(other), 1e-9)
