"""``top`` on a machine with GPUs."""

from wattribute.cli.top.picture import picture_of
from wattribute.cli.top.view import Choice, Picture, cells, chosen, columns
from wattribute.core.records import Channel, Origin
from wattribute.node.exporter.api.document import document
from wattribute.node.exporter.scene import NodeLabels
from wattribute_testing.snapshots import RAPL, SnapshotMaker

GPUS = (*RAPL, Channel("gpu", "nvml", Origin.MEASURED))


def picture(*, gpus: bool = True) -> Picture:
    maker = SnapshotMaker(containers=3, processes=9, channels=GPUS if gpus else RAPL)
    maker.tick()
    shown = document(maker.tick(), NodeLabels("n"), "1", age_s=0, stale=False, processes=99)
    return picture_of(shown, "here")


def test_every_gpu_is_a_row_with_its_watts_joules_and_how_they_are_known() -> None:
    shown = picture()
    (row,) = chosen(shown, Choice(by="gpu"))
    (part,) = [part for part in shown.parts if part.component == "gpu"]

    assert (row.watts, row.joules) == (part.watts, part.joules)
    assert cells(row, "gpu") == (
        "0", f"{row.watts:.2f}", f"{row.joules:.1f}", "60.0", "20 of 80 GiB",
        "NVIDIA H100 80GB HBM3", "0", "counter, by sm",
    )  # fmt: skip
    assert len(columns("gpu")) == len(cells(row, "gpu"))
    assert chosen(shown, Choice(by="gpu", filter_text="h100")) == [row]


def test_processes_and_containers_show_their_part_on_gpus_where_there_are_some() -> None:
    shown = picture()
    for by in ("process", "container", "pod"):
        titles = [column.title for column in columns(by, gpus=True)]
        rows = chosen(shown, Choice(by=by))
        at = titles.index("GPU W")
        assert titles[at + 1] == "GPU J"
        assert all(len(cells(row, by, gpus=True)) == len(titles) for row in rows)
        assert any(float(cells(row, by, gpus=True)[at]) > 0 for row in rows)
        assert all(row.gpu_watts <= row.watts + 1e-6 for row in rows)
        assert all(row.gpu_joules <= row.joules + 1e-6 for row in rows)


def test_without_gpus_there_are_no_columns_for_them() -> None:
    assert picture(gpus=False).gpus == ()
    assert "GPU W" not in [column.title for column in columns("process")]
