import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattribute.accounting.promql.matrix import MatrixReader, SampleSeries
from wattribute.core.errors import SourceFailed

HOSTILE = ("plain", "", ']},{"metric":{', '"values":[[1,"2"]]', "]]}]}", "\\\"]},{'", "é\u202e")


def _answer(series: list[tuple[dict[str, str], list[list[object]]]], **more: object) -> bytes:
    result = [{"metric": labels, "values": values} for labels, values in series]
    body = {"status": "success", "data": {"resultType": "matrix", "result": result}, **more}
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()


def _read(body: bytes, size: int) -> list[SampleSeries]:
    reader = MatrixReader()
    found: list[SampleSeries] = []
    for start in range(0, len(body), size):
        found += reader.feed(body[start : start + size])
    found += reader.close()
    return found


@given(
    st.lists(
        st.tuples(
            st.dictionaries(st.sampled_from(HOSTILE), st.sampled_from(HOSTILE), max_size=3),
            st.lists(
                st.tuples(st.integers(0, 2_000_000_000_000), st.integers(0, 10**15)),
                min_size=1,
                max_size=4,
            ),
        ),
        max_size=4,
    ),
    st.integers(1, 200),
)
def test_however_it_comes_in_every_series_and_sample_is_there(
    series: list[tuple[dict[str, str], list[tuple[int, int]]]], size: int
) -> None:
    written = [
        (labels, [[ms / 1000, f"{uj / 1e6:.6f}"] for ms, uj in samples])
        for labels, samples in series
    ]

    found = _read(_answer(written), size)

    assert [one.labels for one in found] == [labels for labels, _ in series]
    for one, (_, samples) in zip(found, series, strict=True):
        assert one.time_ms.tolist() == [ms for ms, _ in samples]
        assert np.rint(one.values * 1e6).astype(int).tolist() == [uj for _, uj in samples]


def test_a_staleness_marker_is_no_sample() -> None:
    (series,) = _read(_answer([({}, [[1, "5"], [2, "NaN"], [3, "6"]])]), 1000)

    assert series.time_ms.tolist() == [1000, 3000]


@pytest.mark.parametrize("keep", [1, 20, 60, 100, -1, -2, -3, -4])
def test_an_answer_that_is_cut_off_is_an_error(keep: int) -> None:
    body = _answer([({"a": "b"}, [[1, "5"], [2, "6"]]), ({"a": "c"}, [[1, "5"]])])

    with pytest.raises(SourceFailed):
        _read(body[:keep], 64)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"warnings": ["store 10.0.0.3 is down"]}, "store 10.0.0.3 is down"),
        ({"isPartial": True}, "isPartial"),
    ],
)
def test_a_part_of_an_answer_is_an_error(more: dict[str, object], said: str) -> None:
    with pytest.raises(SourceFailed, match=said):
        _read(_answer([({}, [[1, "5"]])], **more), 1000)


def test_an_error_in_an_answer_is_said_in_the_servers_words() -> None:
    with pytest.raises(SourceFailed, match="no such function"):
        _read(b'{"status":"error","errorType":"bad_data","error":"no such function"}', 10)
