"""The drawn training clips: reproducible, and what their caption says is what is in the picture."""

import numpy as np
import pytest

from byline.generation.starter import scenes, text, train_vae, vocabulary


def centre(mask: np.ndarray) -> tuple[float, float]:
    rows, columns = np.nonzero(mask)
    return float(columns.mean()), float(rows.mean())


def test_a_scene_draws_the_same_twice() -> None:
    scene = scenes.sample(np.random.default_rng(5))
    first, mask = scenes.render(scene)
    again, _ = scenes.render(scene)
    assert first.shape == (17, 64, 112, 3)
    assert first.dtype == np.uint8
    assert mask.any()
    assert np.array_equal(first, again)


@pytest.mark.parametrize(
    ("motion", "axis", "sign"), [("right", 0, 1), ("left", 0, -1), ("rise", 1, -1), ("fall", 1, 1)]
)
def test_objects_move_where_they_are_said_to(motion: str, axis: int, sign: int) -> None:
    for seed in range(4):
        _, mask = scenes.render(scenes.Scene("desert", motion, seed, "ball", "red"))
        assert (centre(mask[-1])[axis] - centre(mask[0])[axis]) * sign > 15


def test_sizes_change_where_they_are_said_to() -> None:
    for motion, grows in (("grow", True), ("shrink", False)):
        _, mask = scenes.render(scenes.Scene("room", motion, 2, "star", "blue"))
        small, large = (0, -1) if grows else (-1, 0)
        assert mask[large].sum() > 2 * mask[small].sum() > 0


@pytest.mark.parametrize("colour", vocabulary.COLOURS)
@pytest.mark.parametrize("subject", vocabulary.OBJECTS)
def test_every_object_shows_its_colour_and_is_big(subject: str, colour: str) -> None:
    setting = next(s for s in ("sky", "snow") if (s, colour) not in scenes.UNSEEN)
    frames, mask = scenes.render(scenes.Scene(setting, "still", 1, subject, colour), frames=1)
    rows = np.nonzero(mask[0].any(1))[0]
    assert rows.max() - rows.min() >= 15  # a quarter of the height
    distance = np.abs(frames[0].astype(int) - vocabulary.COLOURS[colour]).max(-1)
    assert (distance < 40).sum() > 30


@pytest.mark.parametrize("profession", vocabulary.PROFESSIONS)
def test_professions_look_different(profession: str) -> None:
    def person(job: str) -> np.ndarray:
        scene = scenes.Scene("room", "still", 7, "", "", "woman", "adult", "medium", job)
        return scenes.render(scene, frames=1)[0][0].astype(int)

    here = person(profession)
    for other in vocabulary.PROFESSIONS:
        if other != profession:
            assert (np.abs(here - person(other)).max(-1) > 40).sum() > 12, other


@pytest.mark.parametrize(
    ("change", "least"), [({"gender": "man"}, 40), ({"age": "older"}, 20), ({"skin": "dark"}, 60)]
)
def test_attributes_of_people_are_visible(change: dict[str, str], least: int) -> None:
    given = {"gender": "woman", "age": "adult", "skin": "light"}
    base = scenes.render(scenes.Scene("room", "still", 7, "", "", profession="doctor", **given), frames=1)[0]
    changed = scenes.render(
        scenes.Scene("room", "still", 7, "", "", profession="doctor", **(given | change)), frames=1
    )[0]
    assert (np.abs(base.astype(int) - changed).max(-1) > 30).sum() > least


def test_captions_say_what_is_drawn_and_fit_the_text_encoder() -> None:
    rng = np.random.default_rng(0)
    longest = 0
    for _ in range(400):
        scene = scenes.sample(rng)
        said = scenes.caption(scene, rng)
        assert any(phrase in said for phrase in vocabulary.SETTINGS[scene.setting])
        if not scene.is_person:
            assert any(word in said for word in vocabulary.COLOUR_WORDS[scene.colour])
            assert any(word in said for word in vocabulary.OBJECTS[scene.subject])
        elif scene.profession:
            assert any(word in said for word in vocabulary.PROFESSIONS[scene.profession])
        longest = max(longest, len(said.split()))
    assert 8 < longest <= text.MAX_TOKENS - 4


def test_the_pool_gives_the_form_the_autoencoder_takes() -> None:
    pool = train_vae.Pool(seed=1, size=3)
    clip, mask = pool.batch(2, 5)
    assert tuple(clip.shape) == (2, 3, 5, 64, 112)
    assert tuple(mask.shape) == (2, 1, 5, 64, 112)
    assert float(clip.min()) >= -1
    assert float(clip.max()) <= 1
    before = pool.frames[0].copy()
    pool.refresh(1)
    assert not np.array_equal(before, pool.frames[0])
