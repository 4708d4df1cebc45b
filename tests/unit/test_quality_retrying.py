"""A shot that does not show its prompt: made again twice at most, each try recorded, the best kept."""

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from byline.generation.engines.base import VideoTask
from byline.generation.quality import retrying
from byline.generation.quality.retrying import Retrying


@dataclass
class Engine:
    """Makes a frame that holds the number of the try; `info.name` is known to no screener."""

    info: Any = field(default_factory=lambda: SimpleNamespace(name="unknown"))
    tasks: list[VideoTask] = field(default_factory=list)

    def generate(self, task: VideoTask, *_: Any) -> np.ndarray:
        self.tasks.append(task)
        return np.full((1, 2, 2, 3), len(self.tasks), np.uint8)


def _run(scores: list[float], below: float = 0.5, most: int = 2) -> tuple[int, Engine, list[Any], Retrying]:
    engine, logged = Engine(), []
    judged = Retrying(
        engine, lambda frames, prompt: scores[int(frames[0, 0, 0, 0]) - 1], lambda *a: logged.append(a),
        below=below, most=most,
    )  # fmt: skip
    kept = judged.generate(VideoTask("A red kite.", seed=9))
    return int(kept[0, 0, 0, 0]), engine, logged, judged


@pytest.mark.parametrize(
    ("scores", "kept", "made"),
    [
        ([0.9], 1, 1),
        ([0.2, 0.8], 2, 2),
        ([0.2, 0.3, 0.1], 2, 3),
        ([0.2, 0.1, 0.6], 3, 3),
        ([0.4, 0.1, 0.1], 1, 3),
        ([0.5], 1, 1),
    ],
)
def test_the_best_of_three_at_most_is_kept(scores: list[float], kept: int, made: int) -> None:
    number, engine, logged, judged = _run(scores)
    assert number == kept
    assert len(engine.tasks) == made
    assert [entry[0] for entry in logged] == list(range(1, made)), "each further try is logged before it"
    assert len({task.seed for task in engine.tasks}) == made
    assert all(task.prompt == "A red kite." for task in engine.tasks)
    (tries,) = retrying.told(judged)
    assert [one["agreement"] for one in tries] == scores


@given(st.lists(st.floats(0, 1), min_size=3, max_size=3), st.floats(0, 1), st.integers(0, 2))
def test_it_ends_and_never_keeps_a_worse_one(scores: list[float], below: float, most: int) -> None:
    number, engine, logged, _ = _run(scores, below, most)
    made = scores[: len(engine.tasks)]
    assert len(made) <= most + 1
    assert len(logged) == len(made) - 1
    assert scores[number - 1] == max(made)
    assert len(made) == most + 1 or max(made) >= below


def test_a_seed_stays_within_its_bounds() -> None:
    engine = Engine()
    judged = Retrying(engine, lambda *_: 0.0, lambda *_: None, below=0.5, most=2)
    judged.generate(VideoTask("x", seed=2**63 - 1))
    assert all(0 <= task.seed < 2**63 for task in engine.tasks)


def test_several_shots_of_one_batch_are_judged_one_by_one() -> None:
    class Batch(Engine):
        def generate_many(self, tasks: Any, *_: Any) -> list[np.ndarray]:
            return [self.generate(task) for task in tasks]

    engine = Batch()
    judged = Retrying(engine, lambda f, p: 0.9 if p == "good" else 0.1, lambda *_: None, below=0.5, most=1)
    judged.generate_many([VideoTask("good", seed=1), VideoTask("bad", seed=2)])
    assert [len(tries) for tries in judged.tries] == [1, 2]


def test_an_engine_that_nobody_can_judge_is_left_as_it_is(settings: Any) -> None:
    engine: Any = Engine()
    request = SimpleNamespace(operation="text_to_video")
    assert retrying.over(engine, request, SimpleNamespace()) is engine
    engine.info.name = "byline-starter"
    judged = retrying.over(engine, request, SimpleNamespace())
    assert isinstance(judged, Retrying)
    assert judged.info is engine.info
    assert retrying.over(engine, SimpleNamespace(operation="extend"), SimpleNamespace()) is engine
    settings.BYLINE = {**settings.BYLINE, "QUALITY": {"RETRIES": 0}}
    assert retrying.over(engine, request, SimpleNamespace()) is engine
    assert retrying.told(engine) == []
