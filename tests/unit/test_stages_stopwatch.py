"""The stopwatch of a pass: nested parts are booked apart, whatever pulls on whatever."""

from collections.abc import Iterator

import pytest

from byline.generation.stages import stopwatch
from byline.generation.stages.stopwatch import Stopwatch


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    clock = [0.0]
    monkeypatch.setattr(stopwatch.time, "perf_counter", lambda: clock[0])
    return clock


def test_each_part_counts_its_own_time_only(now: list[float]) -> None:
    watch = Stopwatch()

    def source() -> Iterator[int]:
        for number in range(3):
            now[0] += 1.0  # composing
            yield number

    def marked(frames: Iterator[int]) -> Iterator[int]:
        for frame in frames:
            now[0] += 0.25
            yield frame

    with watch.part("encode"):
        for _ in watch.pulled("mark", marked(watch.pulled("compose", source()))):
            now[0] += 2.0
    now[0] += 50.0  # outside every part
    assert watch.seconds() == {"encode": 6.0, "mark": 0.75, "compose": 3.0}


def test_a_part_that_breaks_is_closed(now: list[float]) -> None:
    watch = Stopwatch()

    def broken() -> None:
        with watch.part("compose"):
            now[0] += 1.0
            raise RuntimeError

    with pytest.raises(RuntimeError):
        broken()
    now[0] += 1.0
    with watch.part("mark"):
        now[0] += 3.0
    assert watch.seconds() == {"compose": 1.0, "mark": 3.0}
