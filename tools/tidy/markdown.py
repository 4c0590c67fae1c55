"""What the rules read out of a Markdown page: its prose, its code, its headings and its links."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

_FENCE = re.compile(r"^\s*(```|~~~)")
_SPAN = re.compile(r"(`+)(.+?)\1", re.DOTALL)
_LINK = re.compile(r"\]\(\s*<?([^)\s>]+)")
_DEFINITION = re.compile(r"^ {0,3}\[[^\]]+\]:\s*(\S+)")


@dataclass(frozen=True)
class Line:
    """One line of a page: its number, its text, and whether it stands in a fenced block."""

    number: int
    text: str
    code: bool


def lines(text: str) -> Iterator[Line]:
    """Give each line; the fences themselves count as code."""
    inside = False
    for number, line in enumerate(text.splitlines(), 1):
        fence = bool(_FENCE.match(line))
        yield Line(number, line, inside or fence)
        inside ^= fence


def spans(text: str) -> Iterator[tuple[int, str]]:
    """Give the line and the content of each `code span`, which may go over a line's end."""
    prose = "\n".join("" if line.code else line.text for line in lines(text))
    for paragraph in re.finditer(r"(?:.+\n?)+", prose):
        for span in _SPAN.finditer(paragraph[0]):
            line = prose.count("\n", 0, paragraph.start() + span.start()) + 1
            yield line, " ".join(span[2].split())


def links(text: str) -> Iterator[tuple[int, str]]:
    """Give the line and the target of each link and image."""
    for line in lines(text):
        if not line.code:
            visible = _SPAN.sub("", line.text)
            for target in (*_LINK.findall(visible), *_DEFINITION.findall(visible)):
                yield line.number, target


def anchors(text: str) -> set[str]:
    """Give the anchors that GitHub makes of the headings."""
    uses: Counter[str] = Counter()
    names = set()
    for line in lines(text):
        if not line.code and (match := re.match(r"#{1,6}\s+(.*?)\s*#*$", line.text)):
            heading = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", match[1]).lower()
            name = re.sub(r"[^\w\- ]", "", heading).replace(" ", "-")
            names.add(f"{name}-{uses[name]}" if uses[name] else name)
            uses[name] += 1
    return names
