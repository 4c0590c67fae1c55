"""Whatever an hour holds, its entries add up by every weight, and bands hold their energy."""

from collections import defaultdict
from typing import Any, Final

from hypothesis import given, settings
from hypothesis import strategies as st

from wattribute.accounting.ledger.balance import add_entries
from wattribute.accounting.ledger.entries import LedgerEntries
from wattribute.core.records import (
    ConsumerHour,
    EstimateBand,
    HourChannel,
    ModeEnergy,
    NodeHour,
)
from wattribute_testing.strength import examples

_CHANNELS: Final = (
    HourChannel("cpu", "rapl-sysfs", "measured"),
    HourChannel("dram", "trained_power_model", "estimated"),
)
_WEIGHTS: Final = ("energy_uj", "time_uj", "learned_uj")


def consumer(name: str, energy_uj: list[int], **reweighed: list[int]) -> ConsumerHour:
    return ConsumerHour(
        container_id=name,
        pod_uid=f"uid-{name}",
        pod=name,
        container="main",
        namespace="shop",
        owner_kind="",
        owner_name="",
        labels={},
        energy_uj=energy_uj,
        cpu_ns=10**9,
        memory_byte_s=0,
        gpu_ns=0,
        alive_s=3600.0,
        request_s={},
        **reweighed,
    )


def hour(
    consumers: list[ConsumerHour], node_uj: list[int], nobody_uj: list[int], **changes: Any
) -> NodeHour:
    facts: dict[str, Any] = {
        "hour_s": 1_767_225_600,
        "covered_s": 3600.0,
        "node": "n",
        "provider_id": "",
        "instance_type": "",
        "region": "",
        "cluster": "c",
        "nested": False,
        "model": "",
        "channels": list(_CHANNELS[: len(node_uj)]),
        "node_uj": [ModeEnergy(dynamic_uj, 1000) for dynamic_uj in node_uj],
        "unattributed_uj": nobody_uj,
        "capacity_s": {},
        "band_uj": {},
        "consumers": consumers,
    }
    return NodeHour(**facts | changes)


def entries_of(node_hour: NodeHour) -> list[dict[str, Any]]:
    entries = LedgerEntries()
    assert not add_entries(node_hour, entries)
    rows: list[dict[str, Any]] = entries.table("s1").to_pylist()
    return rows


amounts = st.integers(0, 10**12)


@st.composite
def hours(draw: st.DrawFn) -> NodeHour:
    """An hour in which other weights give each consumer anything at all."""
    rows = [
        consumer(
            f"c{number}",
            [draw(amounts), draw(amounts)],
            **{
                name: [draw(amounts), draw(amounts)]
                for name in ("low_uj", "high_uj", "time_uj", "learned_uj")
                if draw(st.booleans())
            },
        )
        for number in range(draw(st.integers(0, 4)))
    ]
    nobody_uj = [draw(amounts), draw(amounts)]
    node_uj = [
        sum(row.energy_uj[channel] for row in rows) + nobody_uj[channel] for channel in range(2)
    ]
    ends = sorted(draw(st.integers(100, 1000)) for _ in range(3))
    bands = {"dram": EstimateBand(*ends)}
    return hour(rows, node_uj, nobody_uj, shared_by={"cpu": "learned-1"}, band_uj=bands)


@settings(max_examples=examples(100))
@given(node_hour=hours())
def test_every_weight_adds_up_to_the_same_energy_of_each_component(node_hour: NodeHour) -> None:
    sums: dict[tuple[str, str], int] = defaultdict(int)
    for entry in entries_of(node_hour):
        for name in _WEIGHTS:
            sums[entry["component"], name] += entry[name]

    for channel, energy in zip(_CHANNELS, node_hour.node_uj, strict=True):
        for name in _WEIGHTS:
            assert sums[channel.component, name] == energy.dynamic_uj + energy.idle_uj


@settings(max_examples=examples(100))
@given(node_hour=hours())
def test_every_band_holds_its_energy(node_hour: NodeHour) -> None:
    for entry in entries_of(node_hour):
        assert entry["low_uj"] <= entry["energy_uj"] <= entry["high_uj"]
