"""An engine at work on a request: steps in words, an account of what it took, batches, previews."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest

from byline.generation.controls import fitting
from byline.generation.engines.base import Batching, EngineInfo, Preview, VideoTask
from byline.generation.operations.base import Brief
from byline.generation.operations.work import Work
from byline.generation.stages.at_work import AtWork

INFO = EngineInfo("fake", "1", "0" * 40, "CC0-1.0", 32, 16, 5, 8.0, "none")
CLIP = np.zeros((5, 16, 32, 3), np.uint8)


class Plain:
    """A contract engine of four steps, without any further capability."""

    def __init__(self) -> None:
        self.info, self.record = INFO, {"steps": 4, "prompt_embeddings": {"from_cache": 1, "computed": 1}}
        self.asked: list[int] = []

    def generate(
        self, task: VideoTask, progress: Callable[[float], None], check_cancelled: Callable[[], None]
    ) -> np.ndarray:
        self.asked.append(task.seed)
        for step in range(1, 5):
            progress(step / 5)
            check_cancelled()
        progress(1.0)
        return CLIP + np.uint8(task.seed)

    def self_check(self) -> None:
        pass

    def examples(self) -> tuple[()]:
        return ()


class Able(Plain):
    """The same with streams and batches of two."""

    batch = 2

    def stream(
        self,
        task: VideoTask,
        progress: Callable[[float], None],
        check_cancelled: Callable[[], None],
        preview: Preview | None = None,
    ) -> Iterator[np.ndarray]:
        if preview:
            preview(CLIP[0], 2, 4)
        yield from np.split(self.generate(task, progress, check_cancelled), [1])

    def generate_many(
        self,
        tasks: Sequence[VideoTask],
        progress: Callable[[float], None],
        check_cancelled: Callable[[], None],
    ) -> list[np.ndarray]:
        self.asked.append(-len(tasks))
        return [self.generate(task, progress, check_cancelled) for task in tasks]


def test_it_says_which_step_it_is_at() -> None:
    engine = AtWork(Plain())
    said: list[str] = []
    engine.generate(VideoTask("x"), lambda _: said.append(engine.step))
    assert said == ["step 1 of 4", "step 2 of 4", "step 3 of 4", "decoding", "decoding"]
    silent = Plain()
    silent.record = {}
    assert AtWork(silent).step == ""


def test_the_account_is_of_all_passes_and_json(settings: Any) -> None:
    settings.BYLINE = {}
    engine = AtWork(Plain())
    assert engine.account() == {}
    engine.generate(VideoTask("x"))
    engine.generate(VideoTask("x"))
    account = engine.account()
    assert account["passes"] == 2
    assert account["prompt_embeddings"] == {"from_cache": 2, "computed": 2}
    assert account["device"] == "cpu"
    assert account["gpu_seconds"] == 0
    assert account["seconds"] >= 0
    assert account["energy_source"].startswith("estimate")


def test_a_stopped_pass_is_in_the_account() -> None:
    engine = AtWork(Plain())

    def stop() -> None:
        raise KeyError

    with pytest.raises(KeyError):
        engine.generate(VideoTask("x"), check_cancelled=stop)
    assert engine.account()["passes"] == 1


def test_further_methods_of_an_engine_are_found_and_batches_are_one_without_the_capability() -> None:
    able = Able()
    able.size_for = lambda shape: (32, 16)  # type: ignore[attr-defined]
    assert AtWork(able).size_for(2.0) == (32, 16)
    assert (AtWork(able).batch, AtWork(Plain()).batch) == (2, 1)
    with pytest.raises(AttributeError):
        AtWork(Plain()).size_for  # noqa: B018
    with pytest.raises(TypeError):
        AtWork(Plain()).generate_many([VideoTask("x")])


def test_streamed_frames_are_whole_and_previews_come_through() -> None:
    seen: list[tuple[int, int]] = []
    engine = AtWork(Able(), lambda _, done, steps: seen.append((done, steps)))
    assert np.array_equal(engine.generate(VideoTask("x", seed=3)), CLIP + 3)
    assert seen == [(2, 4)]


@pytest.mark.parametrize("steered", [False, True])
def test_shots_go_through_in_batches_with_the_same_seeds(steered: bool) -> None:
    able, plain = Able(), Plain()
    brief = Brief(prompt="x", negative_prompt="", seed=10, seconds=4, controls={})
    found = []
    for engine in (able, plain):
        at_work: Any = AtWork(engine)
        if steered:
            at_work = fitting.Steered(at_work, {}, None)
        found.append(Work(at_work, brief, lambda _: None, lambda: None).run_each(3))
    assert able.asked == [-2, 10, 11, -1, 12]
    assert plain.asked == [10, 11, 12]
    assert all(np.array_equal(one, other) for one, other in zip(*found, strict=True))


def test_progress_of_batches_rises_to_the_end() -> None:
    seen: list[float] = []
    brief = Brief(prompt="x", negative_prompt="", seed=0, seconds=4, controls={})

    class Once(Able):
        def generate_many(self, tasks: Any, progress: Any, check_cancelled: Any) -> list[np.ndarray]:
            progress(0.5)
            progress(1.0)
            return [CLIP for _ in tasks]

    Work(Once(), brief, seen.append, lambda: None).run_each(3)
    assert seen == sorted(seen)
    assert seen[-1] == pytest.approx(1.0)
    assert isinstance(Once(), Batching)


def test_the_record_is_of_this_request_and_not_of_the_next_one() -> None:
    plain = Plain()
    engine = AtWork(plain)

    def another_takes_over(fraction: float) -> None:
        if fraction == 1.0:  # ours is done: the engine belongs to the next request
            plain.record = {"steps": 99, "adapters": ["of another request"]}

    engine.generate(VideoTask("x"), another_takes_over)
    assert engine.record["steps"] == 4
    assert "adapters" not in engine.record
