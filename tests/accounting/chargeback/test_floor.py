"""A floor policy is written once: both of its readers give the same split.

Each made hour of a node is given to the node's reader (numpy) as one interval, to a statement's
reader (a query engine) as entries of the ledger, and to a third one in plain fractions.
"""

from dataclasses import dataclass, field, replace
from fractions import Fraction
from operator import attrgetter
from typing import get_args

import narwhals as nw
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wattribute.accounting.chargeback.engines import open_engine
from wattribute.accounting.chargeback.floor import pay_floor, with_idle_rows
from wattribute.accounting.chargeback.usage import AMOUNTS, IDLE, SYSTEM, UNATTRIBUTED
from wattribute.core.floor import (
    FLOOR_POLICIES,
    RESOURCE_OF,
    FloorPolicy,
    Measure,
    claims,
)
from wattribute.node.attribution.policy import FloorBasis, share_floor
from wattribute_testing.strength import examples

HOUR_S = 3600
MIB = 1 << 20
COMPONENTS = tuple(RESOURCE_OF)
ON_NODE = [policy for policy in FLOOR_POLICIES.values() if policy.on_node]
NOT_ON_NODE = [policy for policy in FLOOR_POLICIES.values() if not policy.on_node]
CAPACITIES = {"cpu": (0, 1000, 4000), "memory": (0, 512, 2048), "gpu": (0, 1, 4)}
"""Of a node: millicores, MiB, devices; 0: not known."""
UNITS = {"cpu": 1, "memory": 1, "gpu": 1000}
"""What the ledger counts in a second: core milliseconds, MiB seconds, device milliseconds."""


@dataclass
class Consumer:
    """One pod, or the node's system; what it used and reserved is in the ledger's units."""

    account: int
    alive_s: int
    reserved: dict[str, int]
    used: dict[str, int]
    dynamic_uj: int


@dataclass
class Hour:
    """One node for one hour; only one component has a floor."""

    component: str
    capacity: dict[str, int]
    consumers: list[Consumer] = field(default_factory=list)
    floor_uj: int = 0

    @property
    def resource(self) -> str:
        """The component's."""
        return RESOURCE_OF[self.component]

    @property
    def timed(self) -> str:
        """The resource whose use is a time."""
        return "gpu" if self.component == "gpu" else "cpu"


class InFractions:
    """The policies' third reader: lists of whole numbers."""

    nothing = 0

    def __init__(self, hour: Hour) -> None:
        self.hour = hour

    def amounts(self, measure: Measure) -> list[int]:
        """By consumer."""
        hour = self.hour
        return [
            {
                "reserved": one.reserved[hour.resource] * one.alive_s,
                "used": one.used[hour.resource],
                "time": one.used[hour.timed],
                "dynamic": one.dynamic_uj,
                "pod_time": 0 if one.account == SYSTEM else one.alive_s,
            }[measure]
            for one in hour.consumers
        ]

    def total(self, measure: Measure) -> int:
        """The sum."""
        return sum(self.amounts(measure))

    def capacity(self, measure: Measure) -> int:
        """What there is."""
        hour = self.hour
        of = {"reserved": hour.resource, "used": hour.resource, "time": hour.timed}
        if measure in of:
            return hour.capacity[of[measure]] * HOUR_S * UNITS[of[measure]]
        return HOUR_S if measure == "pod_time" else 0

    larger = staticmethod(max)

    @staticmethod
    def if_any(total: int, then: object, otherwise: object) -> object:
        """One of both."""
        return then if total else otherwise


def _quotas(hour: Hour, policy: FloorPolicy) -> tuple[list[int], int]:
    """What each consumer claims, and of how much."""
    claim, whole = claims(policy, InFractions(hour))
    return claim or [0] * len(hour.consumers), whole


@st.composite
def consumers(draw: st.DrawFn, account: int) -> Consumer:
    """A pod that reserves something or nothing, or the system, which reserves nothing."""
    pod = account != SYSTEM
    alive_s = 9 * draw(st.integers(0, 400)) if pod else HOUR_S  # whole millionths of the hour
    halves = {name: most[-1] // 2 for name, most in CAPACITIES.items()}
    reserved = {name: draw(st.integers(0, half)) for name, half in halves.items()}
    used = {name: draw(st.integers(0, half)) * alive_s for name, half in halves.items()}
    return Consumer(
        account,
        alive_s,
        {name: amount * UNITS[name] * pod for name, amount in reserved.items()},
        {name: amount * UNITS[name] for name, amount in used.items()},
        draw(st.integers(0, 1_000_000)),
    )


@st.composite
def hours_under(draw: st.DrawFn, policy: FloorPolicy) -> Hour:
    """A made hour. Its floor can be divided without a rest in about every other one."""
    hour = Hour(
        draw(st.sampled_from(COMPONENTS)),
        {name: draw(st.sampled_from(choices)) for name, choices in CAPACITIES.items()},
    )
    for account in (SYSTEM, *range(draw(st.integers(0, 5)))):
        hour.consumers.append(draw(consumers(account)))
    if draw(st.booleans()):  # the zone used no more than its floor
        hour.consumers = [replace(one, dynamic_uj=0) for one in hour.consumers]
    _, whole = _quotas(hour, policy)
    exact = draw(st.booleans())
    hour.floor_uj = draw(st.integers(1, 7)) * whole if exact else draw(st.integers(0, 10**8))
    return hour


def _by_node(hour: Hour, policy: FloorPolicy) -> dict[int, int]:
    """What each account pays by the node's reader, and what stays idle."""
    ns, rows = 1_000_000_000, hour.consumers

    def column(*values: int) -> np.ndarray:
        return np.array(values, np.int64)

    basis = FloorBasis(
        elapsed_ns=HOUR_S * ns,
        cpu_ns=column(*(one.used["cpu"] * 1_000_000 for one in rows)),
        memory_bytes=column(*(one.used["memory"] * MIB // max(one.alive_s, 1) for one in rows)),
        gpu_ns=column(*(one.used["gpu"] * 1_000_000 for one in rows)),
        request_cpu_mcore=column(*(one.reserved["cpu"] for one in rows)),
        request_memory_bytes=column(*(one.reserved["memory"] * MIB for one in rows)),
        request_gpu=column(*(one.reserved["gpu"] // 1000 for one in rows)),
        pod=column(*(max(one.account, -1) for one in rows)),
        alive_ns=column(*(one.alive_s * ns for one in rows)),
        dynamic_uj=column(*(one.dynamic_uj for one in rows)),
        capacity_cpu_mcore=hour.capacity["cpu"],
        capacity_ns=hour.capacity["cpu"] * HOUR_S * 1_000_000,
        capacity_memory_bytes=hour.capacity["memory"] * MIB,
        capacity_gpus=hour.capacity["gpu"],
    )
    paid, idle = share_floor(hour.floor_uj, policy, hour.component, basis)
    return {IDLE: idle} | {one.account: int(uj) for one, uj in zip(rows, paid, strict=True)}


def _by_statement(hours: list[Hour], policy: FloorPolicy, engine: str) -> list[dict[int, int]]:
    """The same of all hours by the ledger's reader."""
    rows: list[dict[str, int]] = []
    for number, hour in enumerate(hours):
        empty = dict.fromkeys((*AMOUNTS, "pod_s"), 0) | {"place": 0, "hour": number}
        floor = {f"floor_{hour.component}": hour.floor_uj, "account": IDLE}
        capacity = {
            f"capacity_{name}": most * HOUR_S * UNITS[name] for name, most in hour.capacity.items()
        }
        rows += [empty | floor | capacity]
        rows += [empty | {"account": UNATTRIBUTED, f"dynamic_{hour.component}": 77_777}]
        rows += [
            empty
            | {"account": one.account, f"dynamic_{hour.component}": one.dynamic_uj}
            | {f"used_{name}": amount for name, amount in one.used.items()}
            | {f"reserved_{name}": amount * one.alive_s for name, amount in one.reserved.items()}
            | {"pod_s": 0 if one.account == SYSTEM else one.alive_s}
            for one in hour.consumers
        ]
    table = pa.table({name: pa.array([row[name] for row in rows], pa.int64()) for name in rows[0]})
    with open_engine(engine, []) as opened:
        usage = opened.frame(table)
        paid = pay_floor(with_idle_rows(usage), policy)
        columns = ("hour", "account", nw.col(f"paid_{policy.name}").alias("paid"))
        answered = opened.collect(paid.select(*columns)).to_pylist()
    split: list[dict[int, int]] = [{} for _ in hours]
    for row in answered:
        split[row["hour"]][row["account"]] = row["paid"]
    return split


@pytest.mark.parametrize("engine", ["duckdb", "polars"])
@pytest.mark.parametrize("policy", ON_NODE, ids=attrgetter("name"))
@given(st.data())
@settings(max_examples=examples(15))
def test_the_node_and_a_statement_split_a_floor_alike(
    policy: FloorPolicy, engine: str, data: st.DataObject
) -> None:
    hours = data.draw(st.lists(hours_under(policy), min_size=1, max_size=4))
    for hour, of_ledger in zip(hours, _by_statement(hours, policy, engine), strict=True):
        of_node = _by_node(hour, policy)
        claim, whole = _quotas(hour, policy)
        quotas = [Fraction(hour.floor_uj * part, whole) if whole else Fraction(0) for part in claim]
        assert of_ledger.pop(UNATTRIBUTED) == 0
        assert sum(of_node.values()) == sum(of_ledger.values()) == hour.floor_uj
        for one, quota in zip(hour.consumers, quotas, strict=True):
            assert of_ledger[one.account] == int(quota)  # the crumbs of a statement are idle
            assert of_node[one.account] - int(quota) in (0, 1)  # the node's go by remainder
        if all(quota.denominator == 1 for quota in quotas):
            assert of_node == of_ledger


@pytest.mark.parametrize("policy", NOT_ON_NODE, ids=attrgetter("name"))
@given(st.data())
@settings(max_examples=examples(10))
def test_a_policy_of_statements_alone_leaves_the_whole_floor_on_the_idle_row(
    policy: FloorPolicy, data: st.DataObject
) -> None:
    hours = data.draw(st.lists(hours_under(policy), min_size=1, max_size=4))
    for hour, split in zip(hours, _by_statement(hours, policy, "duckdb"), strict=True):
        assert {account: uj for account, uj in split.items() if uj} == (
            {IDLE: hour.floor_uj} if hour.floor_uj else {}
        )


@pytest.mark.parametrize("measure", get_args(Measure))
def test_each_measure_is_known_by_both_readers_and_needed_by_a_policy(measure: Measure) -> None:
    assert any(measure in policy.by for policy in FLOOR_POLICIES.values()), f"{measure}: unused"
    policy = FloorPolicy("trial", "goes by this measure alone", (measure,))
    for component in COMPONENTS:
        hour = Hour(component, dict.fromkeys(CAPACITIES, 0), floor_uj=1)
        try:
            assert _by_node(hour, policy) == {IDLE: 1}
        except AssertionError as exc:
            pytest.fail(f"{measure}: add it to src/wattribute/node/attribution/policy.py ({exc})")
        try:
            assert _by_statement([hour], policy, "polars") == [{IDLE: 1, UNATTRIBUTED: 0}]
        except AssertionError as exc:
            pytest.fail(f"{measure}: add it to accounting/chargeback/floor.py ({exc})")
