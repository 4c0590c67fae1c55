from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as om_families
from prometheus_client.parser import text_string_to_metric_families

from wattribute.node.exporter.exposition import Renderer, openmetrics, text
from wattribute.node.exporter.families import metrics_families
from wattribute.node.exporter.labels import block, escaped, label_name, printable, text_of
from wattribute.node.exporter.layout import ContainerLabels, ProcessLabels
from wattribute.node.exporter.scene import NodeLabels, Scene
from wattribute_testing.snapshots import SnapshotMaker
from wattribute_testing.strength import examples

hostile = st.text(
    st.one_of(st.characters(codec=None), st.sampled_from('\\"\n\r\t\0{}=,%#\x1b\u2028\ud800'))
)


def joined(parts: Iterable[bytes]) -> str:
    return b"".join(parts).decode()


@given(hostile)
def test_any_name_is_one_valid_label_value(name: str) -> None:
    line = f"# TYPE a gauge\na{{{block([('x', name)])}}} 1\n"

    (family,) = text_string_to_metric_families(line)

    assert family.samples[0].labels["x"] == printable(name)
    line.encode()


@settings(max_examples=examples(40))
@given(hostile, st.lists(st.binary(max_size=16), min_size=4, max_size=4))
def test_the_page_is_valid_whatever_containers_and_processes_are_called(
    name: str, comms: list[bytes]
) -> None:
    maker = SnapshotMaker(containers=1, processes=4, names=(name,), comms=tuple(comms))
    scene = Scene(
        maker.tick(), NodeLabels(name), ("app", "team"), ContainerLabels(), ProcessLabels()
    )
    pieces = Renderer().render(metrics_families("kepler-0.9", processes=True), scene)

    families = {f.name: f for f in text_string_to_metric_families(joined(text(pieces)))}
    list(om_families(joined(openmetrics(pieces))))

    containers = families["kepler_container_joules"].samples
    assert {s.labels["pod_name"] for s in containers} >= {printable(name)}
    commands = {s.labels["command"] for s in families["kepler_process_joules"].samples}
    kept = [np.bytes_(comm).rstrip(b"\0") for comm in comms]  # numpy drops NULs at the end
    assert commands == {printable(text_of(comm)) for comm in kept}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("plain", "plain"),
        ('a"b', r"a\"b"),
        ("a\\b", r"a\\b"),
        ("a\nb", r"a\nb"),
        ("\x1b[2J", "\ufffd[2J"),
        ("\ud800", "\ufffd"),
        ("münchen", "münchen"),
    ],
)
def test_special_characters_are_escaped_and_control_characters_replaced(
    name: str, value: str
) -> None:
    assert escaped(name) == value


def test_bytes_that_are_not_utf8_are_replaced() -> None:
    assert text_of(b"caf\xe9") == "caf\ufffd"


def test_a_kubernetes_label_key_becomes_a_label_name() -> None:
    assert label_name("app.kubernetes.io/name-x") == "app_kubernetes_io_name_x"
