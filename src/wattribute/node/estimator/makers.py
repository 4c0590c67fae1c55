"""Turn the words of DMI and of published results into one name per server maker.

Makers tune their machines, and their power supplies and fans differ. The same CPU and memory draw
6 % more or less from one maker to the next (median of pairs in SPECpower_ssj2008's results).
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
"""Words and makers; the first word with which the text begins, or that it contains, is used."""

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
"""Form by DMI chassis type; racks (23, 17) do not report their height. Source: SMBIOS 3.7, table
17."""


def maker_of(text: str) -> str:
    """Return the name of the maker in a text; "" for an unknown maker."""
    lower = f"{text[:100].lower().strip()} "
    maker = next((name for word, name in _WORDS if lower.startswith(word)), "")
    return maker or next((name for word, name in _WORDS if len(word) > 3 and word in lower), "")


def form_of(chassis_type: int) -> str:
    """Return ``tower``, ``blade`` or ``laptop`` for a chassis type; "" for any other."""
    return _FORMS.get(chassis_type, "")
