"""What became of one source of data when it was opened: a row of ``wattribute doctor``."""

from dataclasses import dataclass
from typing import Literal

FindingState = Literal["works", "not used", "absent", "denied", "failed"]


@dataclass(frozen=True, slots=True)
class SourceFinding:
    """One meter, source of activity or of names, or by what one zone is shared."""

    part: Literal["meter", "activity", "identity", "weight"]
    name: str
    state: FindingState
    message: str
    """One line: what the source gives, what is wrong and what would fix it; "" for nothing."""
