"""The same cents on a local Spark. Skips without pyspark and Java 17: ``make spark-test``."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from wattribute.accounting.chargeback.build import compare_methods
from wattribute.accounting.chargeback.charges import Month
from wattribute.accounting.chargeback.methods import COMPARED
from wattribute.accounting.chargeback.request import StatementRequest
from wattribute.accounting.settings import AccountingSettings

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(900),
    pytest.mark.filterwarnings("default"),  # pyspark's own
    pytest.mark.skipif(
        shutil.which("java") is None, reason="no java: install openjdk-17-jre-headless"
    ),
]


def test_spark_gives_the_same_statement(aws_node: Path, bill: Callable[..., Path]) -> None:
    pytest.importorskip("pyspark", reason="pyspark is not installed: make spark-test")
    path = bill({"EffectiveCost": "10.005"}, {"EffectiveCost": "-3.3333"})
    request = StatementRequest(
        str(aws_node), Month(2026, 9), "label:app", bills=(path,), tariff="100"
    )
    here = compare_methods(request, AccountingSettings(), COMPARED)
    there = compare_methods(
        request.but(engine="spark", master="local[2]"), AccountingSettings(), COMPARED
    )
    assert [one.everything for one in here] == [one.everything for one in there]
