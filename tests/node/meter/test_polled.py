"""A slow source never delays a tick, and is neither repeated for ever nor forgotten at once."""

import threading
import time
from collections.abc import Mapping

import pytest

from wattribute.core.errors import MeterDenied, MeterFailed
from wattribute.core.records import Gauge, Zone
from wattribute.core.units import Nanoseconds, microwatts, nanoseconds
from wattribute.node.meter import polled
from wattribute.node.meter.polled import PolledMeter
from wattribute_testing.waiting import always, wait_until

ZONE = Zone("platform", "1", "redfish")


class ByHand:
    """A source that answers when the test says."""

    def __init__(self) -> None:
        self.answers: list[float | Exception] = []
        self.polls = 0
        self.closed = False
        self._more = threading.Condition()
        self._over = False

    def poll(self) -> Mapping[Zone, Gauge]:
        with self._more:
            self._more.wait_for(lambda: self.answers or self._over, 10)
            if self._over:
                raise MeterFailed("interrupted")
            answer = self.answers.pop(0)
            self.polls += 1
        if isinstance(answer, Exception):
            raise answer
        return {ZONE: Gauge(microwatts(answer))}

    def interrupt(self) -> None:
        with self._more:
            self._over = True
            self._more.notify_all()

    def close(self) -> None:
        self.closed = True

    def say(self, *answers: float | Exception) -> None:
        """Answer, and wait until that was heard."""
        polls = self.polls + len(answers)
        with self._more:
            self.answers.extend(answers)
            self._more.notify_all()
        wait_until(lambda: self.polls >= polls)
        time.sleep(0.01)


@pytest.fixture
def source() -> ByHand:
    return ByHand()


@pytest.fixture
def meter(source: ByHand) -> PolledMeter:
    return PolledMeter("redfish", source, 0.001)


def at(meter: PolledMeter, second: float) -> tuple[float, float]:
    """Instant and watts of the reading of a tick."""
    (reading,) = meter.read(nanoseconds(second))
    assert isinstance(reading.value, Gauge)
    return reading.at_ns / 1e9, reading.value.power_uw / 1e6


def test_a_reading_has_the_instant_of_the_tick_that_first_saw_it(
    meter: PolledMeter, source: ByHand
) -> None:
    assert meter.read(nanoseconds(95)) == ()
    assert (meter.zones, meter.problems) == ((), ("redfish: no answer yet",))
    source.say(200)
    assert at(meter, 100) == (100, 200)
    assert at(meter, 105) == (100, 200)
    source.say(240)
    assert at(meter, 110) == (110, 240)
    assert meter.zones == (ZONE,)
    meter.close()


def test_the_same_value_again_is_not_a_new_one_for_a_minute(
    meter: PolledMeter, source: ByHand
) -> None:
    source.say(200)
    assert at(meter, 100) == (100, 200)
    for second in range(110, 160, 10):
        source.say(200)
        assert at(meter, second) == (100, 200)
    source.say(200)
    assert at(meter, 160) == (160, 200)
    meter.close()


def test_without_new_answers_it_fails_and_comes_back(meter: PolledMeter, source: ByHand) -> None:
    source.say(200)
    at(meter, 100)
    source.say(MeterFailed("no answer in time"))
    assert at(meter, 150) == (100, 200)
    assert meter.problems == ("no answer in time",)
    with pytest.raises(MeterFailed, match=r"no new reading for 61 s: no answer in time"):
        meter.read(nanoseconds(161))
    source.say(200)
    assert at(meter, 165) == (165, 200)
    assert meter.problems == ()
    meter.close()


def test_a_question_without_an_answer_fails_in_the_end(meter: PolledMeter, source: ByHand) -> None:
    source.say(200)
    at(meter, 100)
    with pytest.raises(MeterFailed, match="the last question has no answer yet"):
        meter.read(nanoseconds(170))
    meter.close()


def test_one_that_never_answered_says_why(meter: PolledMeter, source: ByHand) -> None:
    source.say(MeterFailed("connection refused"))
    meter.settle(1)
    with pytest.raises(MeterFailed, match="connection refused"):
        meter.read(Nanoseconds(5))
    meter.close()


def test_our_own_bug_is_said_and_does_not_end_the_thread(source: ByHand) -> None:
    meter = PolledMeter("redfish", source, 0.001)
    source.say(KeyError("x"))

    assert meter.problems == ("redfish: KeyError in our own code: 'x'",)
    assert meter.running
    meter.close()
    assert source.closed


def test_closing_does_not_wait_for_an_answer(meter: PolledMeter, source: ByHand) -> None:
    began = time.monotonic()
    meter.close()

    assert time.monotonic() - began < 2
    assert source.closed
    assert not meter.running


def test_wrong_passwords_are_not_tried_again_soon(source: ByHand) -> None:
    meter = PolledMeter("redfish", source, 0.001)
    source.say(MeterDenied("401"))
    source.answers.append(200)

    always(lambda: source.polls == 1, 0.05)
    assert polled.DENIED_PAUSE_S >= 600
    meter.close()


def test_failures_make_the_pauses_longer(source: ByHand) -> None:
    meter = PolledMeter("redfish", source, 0.01)
    began = time.monotonic()
    source.say(*[MeterFailed("500")] * 5)

    assert time.monotonic() - began >= 0.01 + 0.02 + 0.04 + 0.08
    meter.close()
