"""Utilisation samples -> time on a GPU's processors, by process. Pure arithmetic.

What nvmlDeviceGetProcessUtilization gives depends on the driver. Either one sample
per process, its mean since the instant that was asked for, stamped with
when it last ran; or one per process and sampling period (1/6 to 1 s, periods without
any use left out). Both forms are told apart by whether a process comes twice.
Buffers have also been seen to hold rows of pid 0 and shares far above 100 %; those
say nothing.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final, Protocol

from wattribute.core.units import NANOSECONDS_PER_MICROSECOND

_PERIOD_MAX_NS: Final = 1_000_000_000
"""Longest sampling period (nvmlUtilization_t): before a later sample the device was idle."""


class Sampled(Protocol):
    """One sample of a process, as the driver took it."""

    @property
    def pid(self) -> int:
        """Of the process."""
        ...

    @property
    def at_us(self) -> int:
        """End of what it covers, on the driver's clock."""
        ...

    @property
    def sm_percent(self) -> int:
        """Part of that time in which the process was on the processors."""
        ...


def busy_by_pid(samples: Sequence[Sampled], since_us: int, elapsed_ns: int) -> dict[int, int]:
    """Nanoseconds that each process was on the processors; who was not is left out.

    Args:
        samples: those after ``since_us``.
        since_us: the newest sample of the read before, on the driver's clock; 0: none.
        elapsed_ns: time between the two reads. No process gets more.
    """
    valid = [s for s in samples if s.pid and 0 < s.sm_percent <= 100 and s.at_us > since_us]
    if len({s.pid for s in valid}) == len(valid):
        return {s.pid: s.sm_percent * elapsed_ns // 100 for s in valid}
    covers = _periods(sorted({s.at_us for s in valid}), since_us)
    # Samples come late, by a period at most: what the last read missed is in this one.
    scale = min(1.0, elapsed_ns / max(sum(covers.values()), 1))
    busy: dict[int, float] = {}
    for sample in valid:
        part = sample.sm_percent / 100 * covers[sample.at_us] * scale
        busy[sample.pid] = busy.get(sample.pid, 0.0) + part
    return {pid: round(ns) for pid, ns in busy.items()}


def _periods(stamps: Sequence[int], since_us: int) -> dict[int, int]:
    """How long before each stamp its samples reach, in nanoseconds."""
    gaps = [later - earlier for earlier, later in pairwise(stamps)]
    first = stamps[0] - since_us if since_us else min(gaps, default=0)
    return {
        stamp: min(gap * NANOSECONDS_PER_MICROSECOND, _PERIOD_MAX_NS)
        for stamp, gap in zip(stamps, [first, *gaps], strict=True)
    }
