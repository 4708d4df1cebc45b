"""The pure parts of films: scenes' texts, seeds that stay with shots, keys, narration, times of shots."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from byline.generation import brands
from byline.generation.compose import compose, film_seconds
from byline.generation.engines.base import VideoTask
from byline.generation.films import authoring, kept, narration, scenes
from byline.generation.script.storyboard import Shot
from byline.generation.soundtrack import SpeechTooLong
from byline.generation.voices.base import Speech, UnspeakableText, Word

words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(lambda text: text.split() != [])


def request(*shots: Shot) -> Any:
    return SimpleNamespace(scenes=scenes.column(shots, range(len(shots))))


@given(st.lists(words, min_size=1, max_size=6))
def test_every_scene_has_its_line_whatever_is_written_in_it(visuals: list[str]) -> None:
    asked = request(*(Shot("t", 2.0, visual) for visual in visuals))
    joined = scenes.joined(asked.scenes)["prompt"]
    assert scenes.lines(asked, joined) == [" ".join(visual.split()) for visual in visuals]
    assert scenes.rejoined(asked, scenes.numbered(asked))["prompt"] == joined


def test_a_text_with_a_line_too_few_is_a_defect() -> None:
    with pytest.raises(scenes.FilmBroken):
        scenes.lines(request(Shot("a", 1, "one"), Shot("b", 1, "two")), "one")


def test_scenes_follow_each_other_in_time() -> None:
    asked = request(Shot("a", 1.5, "one"), Shot("b", 2, "two"), Shot("c", 1, "three"))
    assert [(scene.start, scene.seed) for scene in scenes.of(asked)] == [(0.0, 0), (1.5, 1), (3.5, 2)]


@given(st.lists(st.sampled_from("abcdef"), min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_a_seed_stays_with_its_shot_however_shots_are_moved(visuals: list[str], chance: Any) -> None:
    film: Any = SimpleNamespace(seed=10)
    seeds = [10 + number for number in range(len(visuals))]
    board = {"shots": [{"visual": visual} for visual in visuals]}
    current: Any = SimpleNamespace(number=1, seeds=seeds, storyboard=board)
    moved = list(range(len(visuals)))
    chance.shuffle(moved)
    carried = authoring._carried(film, current, [Shot("t", 2, visuals[n]) for n in moved])
    assert sorted(carried) == seeds
    assert all(visuals[seed - 10] == visuals[n] for seed, n in zip(carried, moved, strict=True))
    longer = authoring._carried(film, current, [Shot("t", 2, v) for v in ["new", *visuals]])
    assert longer[1:] == seeds
    assert longer[0] not in seeds


def test_a_key_changes_with_everything_that_frames_depend_on() -> None:
    picture = np.zeros((2, 2, 3), np.uint8)
    tasks = [
        VideoTask("a", seed=1),
        VideoTask("a", seed=2),
        VideoTask("b", seed=1),
        VideoTask("a", seed=1, image=picture),
        VideoTask("a", seed=1, image=picture + 1),
    ]
    keys = [kept.key_of(task, {"steps": 4}) for task in tasks] + [kept.key_of(tasks[0], {"steps": 5})]
    assert len(set(keys)) == len(keys)
    assert kept.key_of(VideoTask("a", seed=1), {"steps": 4}) == keys[0]


def speak(text: str) -> Speech:
    """Half a second for each word, each a click at its beginning."""
    said = text.split()
    samples = np.zeros(500 * len(said), np.float32)
    samples[::500] = 1.0
    return Speech(samples, 1000, tuple(Word(w, n / 2, n / 2 + 0.4) for n, w in enumerate(said)))


def test_words_are_spoken_with_their_scene() -> None:
    asked = scenes.of(request(Shot("a", 2, "one"), Shot("b", 1.5, "two"), Shot("c", 3, "three")))
    speech = narration.spoken(asked, ["wind now", "", "rain"], speak)
    assert [(word.text, word.start) for word in speech.words] == [("wind", 0.0), ("now", 0.5), ("rain", 3.5)]
    assert np.flatnonzero(speech.samples).tolist() == [0, 500, 3500]
    with pytest.raises(SpeechTooLong, match=r"Shot 2 needs 2\.2 s for its words and has 1\.5 s"):
        narration.spoken(asked, ["", "too many words", ""], speak)
    with pytest.raises(UnspeakableText):
        narration.spoken(asked, ["", "", ""], speak)


def test_every_shot_begins_when_those_before_it_are_over() -> None:
    brand = brands.load("byline")
    colours = [(200, 0, 0), (0, 200, 0), (0, 0, 200)]
    shots = [np.full((5, 36, 64, 3), colour, np.uint8) for colour in colours]
    lengths = [1.0, 2.0, 1.5]
    seconds = film_seconds(lengths, brand)
    assert seconds == 4.5 + brand.end_seconds
    frames = compose(
        shots,
        8.0,
        brand=brand,
        title="",
        captions=[],
        size=(128, 72),
        fps=8,
        seconds=seconds,
        lengths=lengths,
    )
    seen = [int(frame[20:50, 10:60].mean(axis=(0, 1)).argmax()) for frame in frames]
    assert seen[:7] == [0] * 7
    assert seen[12:23] == [1] * 11
    assert seen[28:34] == [2] * 6
    assert len(seen) == round(seconds * 8)
