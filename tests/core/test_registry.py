"""What every table of names does alike."""

import sys

import pytest

from wattribute.core.errors import ConfigInvalid
from wattribute.core.registry import Registry

TABLE = Registry(
    "number",
    "xml",
    {
        "sax": ("sax.expatreader:version", "A text, though a number is expected."),
        "ns": ("dom:WRONG_DOCUMENT_ERR", "A number."),
        "tree": ("etree.cElementTree:none", "A module that nothing has imported yet."),
    },
)


def test_names_come_in_the_order_of_the_table_and_import_nothing() -> None:
    assert TABLE.names == ("sax", "ns", "tree")
    assert "xml.etree.cElementTree" not in sys.modules


def test_an_entry_is_imported_by_its_name() -> None:
    assert TABLE.load("ns", int) == 4


def test_a_name_that_is_not_there_is_answered_with_those_that_are() -> None:
    with pytest.raises(ConfigInvalid, match="tau: no such number; there are sax, ns, tree"):
        TABLE.load("tau", int)


def test_an_entry_of_another_kind_is_our_bug() -> None:
    with pytest.raises(TypeError, match=r"xml\.sax\.expatreader:version is no int"):
        TABLE.load("sax", int)
