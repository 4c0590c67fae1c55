"""Who built a server: the words of DMI and of published results -> one name per maker.

Makers tune their machines, and their power supplies and fans differ: the same CPU and memory draw 6
% more or less from one maker to the next (median of pairs in SPECpower_ssj2008's results).
"""

from typing import Final

_WORDS: Final = (
    ("hewlett", "hpe"),
    ("hpe", "hpe"),
    ("hp", "hpe"),
    ("lenovo", "lenovo"),
    ("ibm", "ibm"),
    ("dell", "dell"),
    ("fujitsu", "fujitsu"),
    ("gateway", "acer"),
    ("acer", "acer"),
    ("xfusion", "xfusion"),
    ("huawei", "huawei"),
    ("ieit", "inspur"),
    ("inspur", "inspur"),
    ("supermicro", "supermicro"),
    ("super micro", "supermicro"),
    ("quanta", "quanta"),
    ("cisco", "cisco"),
    ("asus", "asus"),
    ("h3c", "h3c"),
    ("zte", "zte"),
    ("sugon", "sugon"),
    ("giga", "gigabyte"),
    ("nettrix", "nettrix"),
    ("tyan", "tyan"),
    ("mitac", "tyan"),
    ("oracle", "oracle"),
    ("sun micro", "oracle"),
    ("hitachi", "hitachi"),
    ("nec ", "nec"),
    ("intel", "intel"),
)
"""The first word that the text begins with or holds."""

_FORMS: Final = {
    3: "tower",
    4: "tower",
    6: "tower",
    7: "tower",
    13: "tower",
    8: "laptop",
    9: "laptop",
    10: "laptop",
    14: "laptop",
    28: "blade",
    29: "blade",
    31: "laptop",
    32: "laptop",
}
"""DMI chassis type -> form; racks (23, 17) do not tell their height. Source: SMBIOS 3.7, table
17."""


def maker_of(text: str) -> str:
    """One name for a maker; "" for one that is not known."""
    lower = f"{text[:100].lower().strip()} "
    found = next((name for word, name in _WORDS if lower.startswith(word)), "")
    return found or next((name for word, name in _WORDS if len(word) > 3 and word in lower), "")


def form_of(chassis_type: int) -> str:
    """``tower``, ``blade``, ``laptop``; "" where the chassis tells nothing that matters."""
    return _FORMS.get(chassis_type, "")
