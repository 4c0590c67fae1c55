"""The fake clock."""

from wattribute_testing import FakeClock


def test_time_suspend_and_a_step_move_the_clocks_that_they_move() -> None:
    clock = FakeClock()
    start = (clock.monotonic_ns(), clock.boottime_ns(), clock.wall_ns())

    clock.advance(1.5)
    clock.suspend(10)
    clock.step_wall(-3600)

    moved = (clock.monotonic_ns(), clock.boottime_ns(), clock.wall_ns())
    assert [b - a for a, b in zip(start, moved, strict=True)] == [
        1_500_000_000,
        11_500_000_000,
        11_500_000_000 - 3_600_000_000_000,
    ]
