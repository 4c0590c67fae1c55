from wattribute.accounting.ledger.balance import add_entries
from wattribute.accounting.ledger.entries import LedgerEntries
from wattribute.core.records import ConsumerHour, EstimateBand, HourChannel, ModeEnergy, NodeHour


def _consumer(**values: list[int]) -> ConsumerHour:
    return ConsumerHour(
        container_id="a", pod_uid="", pod="", container="", namespace="", owner_kind="",
        owner_name="", labels={}, cpu_ns=0, memory_byte_s=0, gpu_ns=0, alive_s=0, request_s={},
        **values,
    )  # fmt: skip


def _entries(origin: str, consumer: ConsumerHour) -> dict[str, dict[str, object]]:
    hour = NodeHour(
        hour_s=0, covered_s=3600, node="n", provider_id="", instance_type="", region="",
        cluster="", nested=False, model="", channels=[HourChannel("cpu", "", origin)],
        node_uj=[ModeEnergy(1000, 100)], unattributed_uj=[0], capacity_s={},
        band_uj={"cpu": EstimateBand(70.0, 100.0, 140.0)}, consumers=[consumer],
        shared_by={"cpu": "learned-1"},
    )  # fmt: skip
    entries = LedgerEntries()
    add_entries(hour, entries)
    return {row["kind"]: row for row in entries.table("s").to_pylist()}


def test_what_other_weights_give_to_no_consumer_is_nobodys() -> None:
    rows = _entries("measured", _consumer(energy_uj=[1000], time_uj=[1300], learned_uj=[900]))

    assert rows["workload"]["time_uj"] == 1300
    assert (rows["unattributed"]["energy_uj"], rows["unattributed"]["time_uj"]) == (0, -300)
    assert rows["unattributed"]["learned_uj"] == 100
    assert rows["idle"]["time_uj"] == rows["idle"]["learned_uj"] == 100
    assert rows["workload"]["shared_by"] == "learned-1"
    assert rows["idle"]["shared_by"] == rows["unattributed"]["shared_by"] == ""


def test_a_measured_entry_has_the_band_of_its_weights() -> None:
    rows = _entries("measured", _consumer(energy_uj=[1000], low_uj=[900], high_uj=[1200]))

    assert (rows["workload"]["low_uj"], rows["workload"]["high_uj"]) == (900, 1200)


def test_a_band_that_does_not_contain_the_energy_is_widened_to_it() -> None:
    rows = _entries("measured", _consumer(energy_uj=[1000], low_uj=[1001], high_uj=[999]))

    assert (rows["workload"]["low_uj"], rows["workload"]["high_uj"]) == (1000, 1000)


def test_the_bands_of_an_estimate_and_of_its_weights_add_up_as_variances() -> None:
    rows = _entries("estimated", _consumer(energy_uj=[1000], low_uj=[600], high_uj=[1300]))

    assert (rows["workload"]["low_uj"], rows["workload"]["high_uj"]) == (500, 1500)


def test_a_band_does_not_end_below_0() -> None:
    rows = _entries("estimated", _consumer(energy_uj=[1000], low_uj=[10], high_uj=[1000]))

    assert rows["workload"]["low_uj"] == 0
