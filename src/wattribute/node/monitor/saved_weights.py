"""The state file's part about learned weights, encoded once a minute."""

from dataclasses import dataclass
from typing import Final

import msgspec

from wattribute.core.units import nanoseconds
from wattribute.node.attribution.learned.report import METHOD
from wattribute.node.attribution.learned.saved import SavedLearner
from wattribute.node.sharing.zone_learners import ZoneLearners

_EVERY_NS: Final = nanoseconds(60)


@dataclass(frozen=True, slots=True)
class SavedWeights:
    """What the learners of all zones knew."""

    method: str
    """Name and version of the method; another's numbers mean something else."""
    cpu: str
    """The kernel's name of the CPU: another CPU has other watts."""
    zones: dict[str, SavedLearner]
    """By ``kind/id/source``."""


class WeightsSaver:
    """Encodes what was learned, and reads it back; weights are no reason to refuse a state file."""

    def __init__(self, cpu: str) -> None:
        """Set the CPU's name, as the kernel shows it."""
        self._cpu = cpu
        self._encoded = ""
        self._next_ns = 0

    def encoded(self, learners: ZoneLearners, now_ns: int) -> str:
        """Return what was known a minute ago at most; ``now_ns`` is on the monotonic clock."""
        if now_ns >= self._next_ns:
            self._next_ns = now_ns + _EVERY_NS
            saved = SavedWeights(METHOD, self._cpu, learners.dump())
            self._encoded = msgspec.json.encode(saved).decode()
        return self._encoded

    def load(self, encoded: str, learners: ZoneLearners) -> str:
        """Let learners go on from what was saved; return why they begin cold, "" if they do not."""
        if not encoded:
            return ""
        try:
            saved = msgspec.json.decode(encoded, type=SavedWeights)
        except (msgspec.DecodeError, RecursionError) as error:
            return f"learned weights cannot be read ({error})"
        if saved.method != METHOD:
            return f"weights were learned by {saved.method}, and this is {METHOD}"
        if saved.cpu != self._cpu:
            return f"weights were learned on {saved.cpu}, and this is {self._cpu}"
        return "; ".join(learners.load(saved.zones))
