"""The floor belongs to the machine and not to its load."""

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattribute.node.attribution.floor import FloorLearner

SECOND = 1_000_000_000
DAY = 86_400 * SECOND
WATT = 1_000_000


def learner(given_uw: int | None = None) -> FloorLearner:
    return FloorLearner(7 * DAY, given_uw)


def concave(busy: float) -> float:
    """Package watts as real ones are: 20 W idle, steep at first, flat towards 100 %."""
    return 20 + 100 * busy**0.6


class Machine:
    """Feeds a learner with ticks of 5 s."""

    def __init__(self, learns: FloorLearner, noise_w: float = 0.0) -> None:
        self.learns = learns
        self.random = random.Random(7)
        self.noise_w = noise_w
        self.now_ns = 0

    def run(self, ticks: int, least: float, most: float, idle_w: float = 20.0) -> None:
        for _ in range(ticks):
            self.now_ns += 5 * SECOND
            busy = self.random.uniform(least, most)
            power_w = idle_w - 20 + concave(busy) + self.random.gauss(0, self.noise_w)
            self.learns.observe(self.now_ns, busy, round(max(power_w, 0) * WATT))


def known(learns: FloorLearner, prior_w: float | None = None) -> tuple[float, str]:
    floor = learns.floor(None if prior_w is None else round(prior_w * WATT))
    return floor.power_uw / WATT, floor.basis


def test_a_given_floor_stands() -> None:
    learns = learner(33 * WATT)
    Machine(learns).run(100, 0, 0.1)

    assert known(learns, 50) == (33, "given")


def test_without_anything_there_is_no_floor() -> None:
    assert known(learner()) == (0, "none")
    assert known(learner(), 50) == (50, "prior")


def test_an_idle_machine_teaches_its_floor() -> None:
    learns = learner()
    for tick in range(100):
        busy = tick % 10 / 100
        learns.observe(tick * 5 * SECOND, busy, round((20 + 100 * busy) * WATT))

    assert known(learns) == (pytest.approx(20, rel=1e-3), "learned")


def test_noise_does_not_pull_it_down_to_the_lowest_tick() -> None:
    learns = learner()
    machine = Machine(learns, noise_w=1.0)
    machine.run(5000, 0.0, 0.02)
    for _ in range(5):
        machine.now_ns += 5 * SECOND
        learns.observe(machine.now_ns, 0.01, WATT // 2)

    power_w, basis = known(learns)
    assert basis == "learned"
    assert 18.5 < power_w < 22


def test_a_few_wild_ticks_do_not_move_it() -> None:
    learns = learner()
    machine = Machine(learns, noise_w=0.2)
    machine.run(200, 0, 0.1)
    before, _ = known(learns)
    for _ in range(20):
        machine.now_ns += 5 * SECOND
        learns.observe(machine.now_ns, 0.01, 90 * WATT)

    assert known(learns)[0] == pytest.approx(before, rel=0.05)


@pytest.mark.parametrize(("least", "most"), [(0.5, 1.0), (0.2, 1.0), (0.06, 0.19)])
def test_busy_ticks_teach_nothing(least: float, most: float) -> None:
    learns = learner()
    Machine(learns).run(1000, least, most)

    assert known(learns, 15) == (15, "prior")
    assert known(learns) == (0, "none")


def test_a_prior_is_never_above_what_the_machine_draws() -> None:
    learns = learner()
    Machine(learns).run(1000, 0.5, 1.0)

    power_w, basis = known(learns, 500)

    assert basis == "prior"
    assert concave(0.5) <= power_w < concave(0.52)


@pytest.mark.parametrize(
    ("idle", "quiet", "basis"), [(5, 15, "learned"), (4, 100, "prior"), (5, 14, "prior")]
)
def test_it_takes_twenty_quiet_ticks_and_five_idle_ones(idle: int, quiet: int, basis: str) -> None:
    learns = learner()
    machine = Machine(learns)
    machine.run(idle, 0, 0.049)
    machine.run(quiet, 0.05, 0.199)

    assert known(learns, 15)[1] == basis


def test_it_stays_put_at_full_load() -> None:
    learns = learner()
    machine = Machine(learns, noise_w=0.3)
    machine.run(500, 0, 0.05)
    before = known(learns)
    machine.run(20_000, 0.9, 1.0)

    assert known(learns) == (pytest.approx(before[0], rel=0.05), "learned")


def test_power_that_falls_with_load_is_not_believed() -> None:
    learns = learner()
    for tick in range(100):
        busy = tick % 20 / 100
        learns.observe(tick * SECOND, busy, round((30 - 50 * busy) * WATT))

    power_w, basis = known(learns)
    assert basis == "learned"
    assert 20 <= power_w <= 21  # the 1st percentile, below the line's 30 W


def test_what_is_older_than_the_window_is_forgotten() -> None:
    learns = learner()
    machine = Machine(learns)
    machine.run(1000, 0, 0.01, idle_w=40)
    machine.now_ns += 8 * DAY
    machine.run(1000, 0, 0.01, idle_w=20)

    assert known(learns)[0] == pytest.approx(20.5, abs=1.5)


def test_a_learned_floor_is_forgotten_when_nothing_confirms_it() -> None:
    learns = learner()
    machine = Machine(learns)
    machine.run(100, 0, 0.01)
    machine.now_ns += 8 * DAY
    machine.run(1, 0.9, 1.0)

    assert known(learns, 15) == (15, "prior")


def test_a_week_of_ticks_is_kept_in_bounded_memory() -> None:
    learns = learner()
    machine = Machine(learns, noise_w=0.5)
    machine.run(120_960, 0, 0.3)

    assert len(json.dumps(learns.dump())) < 40_000
    line_w, basis = known(learns)
    assert (line_w, basis) == (pytest.approx(22, abs=3), "learned")


def test_the_sample_is_spread_over_the_window() -> None:
    learns = learner()
    Machine(learns).run(60_000, 0, 0.04)

    ages_s = [age / 1000 for age in learns.dump()["idle"]["age_ms"]]  # type: ignore[index]

    for tenth in range(10):
        inside = [age for age in ages_s if tenth * 30_000 <= age < (tenth + 1) * 30_000]
        assert len(inside) == pytest.approx(len(ages_s) / 10, abs=2)


def test_what_was_learned_survives_a_restart_on_another_clock() -> None:
    learns = learner()
    machine = Machine(learns, noise_w=0.5)
    machine.run(3000, 0, 0.3)
    learns.floor(None)
    state = json.loads(json.dumps(learns.dump()))

    restored = FloorLearner.load(state, 7 * DAY, None, newest_ns=-60 * SECOND)

    assert known(restored)[1] == "learned"
    assert known(restored)[0] == pytest.approx(known(learns)[0], rel=0.03)
    restored.observe(SECOND, 0.5, 100 * WATT)
    assert known(restored)[1] == "learned"
    restored.observe(8 * DAY, 0.5, 100 * WATT)
    assert known(restored)[1] == "none"


def test_an_unchanged_dump_is_the_same_object() -> None:
    learns = learner()
    Machine(learns).run(10, 0, 0.3)

    first = learns.dump()
    again = learns.dump()
    learns.observe(DAY, 0.5, 5)

    assert first is again
    assert learns.dump() is not first


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3)
json_values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.sampled_from(["all", "quiet", "idle", "halvings", "age_ms", "values"]), inner
    )
)  # fmt: skip


@given(json_values)
def test_garbage_is_one_clear_error(state: object) -> None:
    with pytest.raises(ValueError, match=r"must be|is needed"):
        FloorLearner.load(state, 7 * DAY, None, newest_ns=0)


@pytest.mark.parametrize(
    "broken",
    [
        {"halvings": 64},
        {"halvings": True},
        {"age_ms": [1, 2]},
        {"age_ms": [-1]},
        {"age_ms": [2**63]},
        {"values": [[1], [2]]},
        {"values": [["1"]]},
        {"age_ms": [1] * 513, "values": [[1] * 513]},
    ],
)
def test_a_dump_that_was_tampered_with_is_refused(broken: dict[str, object]) -> None:
    learns = learner()
    learns.observe(SECOND, 0.5, 5)
    state = json.loads(json.dumps(learns.dump()))
    FloorLearner.load(state, 7 * DAY, None, newest_ns=0)
    state["all"].update(broken)

    with pytest.raises(ValueError, match=r"must be|is needed"):
        FloorLearner.load(state, 7 * DAY, None, newest_ns=0)


@given(
    st.lists(st.tuples(st.floats(-1, 2), st.integers(-5, 10**10)), max_size=60),
    st.none() | st.integers(0, 10**9),
)
def test_a_floor_is_never_negative_nor_above_every_tick(
    ticks: list[tuple[float, int]], prior_uw: int | None
) -> None:
    learns = learner()
    for at, (busy, power_uw) in enumerate(ticks):
        learns.observe(at * SECOND, busy, power_uw)

    floor = learns.floor(prior_uw)

    assert floor.power_uw >= 0
    seen = [power_uw for _, power_uw in ticks if power_uw >= 0]
    assert not seen or floor.power_uw <= max(seen)
    assert (floor.basis == "none") <= (floor.power_uw == 0)
