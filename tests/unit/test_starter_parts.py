"""The smaller parts of the starter: words, sprites without their font, Muon, the reader, the upscaler."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from byline.audit.base import heavy
from byline.audit.base.errors import MissingWeights
from byline.generation.starter import captions, muon, probe, scenes, sprites, upscaler, vocabulary


def full(seed: int, population: str = "balanced", people: float = 0.3) -> list[scenes.Scene]:
    rng = np.random.default_rng(seed)
    return [scenes.sample(rng, people, full=True, population=population) for _ in range(600)]


@pytest.mark.parametrize(
    ("noun", "several"),
    [("fox", "foxes"), ("bunny", "bunnies"), ("monkey", "monkeys"), ("sheep", "sheep"), ("bus", "buses"),
     ("slice of pizza", "slices of pizza")],
)  # fmt: skip
def test_plurals(noun: str, several: str) -> None:
    assert captions.plural(noun) == several


def test_the_training_set_has_all_that_the_card_names() -> None:
    made = full(1)
    assert {s.setting for s in made} == set(vocabulary.SETTINGS)
    assert {s.time for s in made} == {"", *vocabulary.TIMES}
    assert {s.count for s in made} == {1, 2, 3}
    assert {s.camera for s in made} == {"", *vocabulary.CAMERAS}
    assert {s.style for s in made} == {"", *vocabulary.STYLES}
    assert any(s.other for s in made)
    assert len({s.subject for s in made} - {""}) >= 60
    assert {s.profession for s in made} == {"", *vocabulary.PROFESSIONS}
    for s in made:
        assert s.is_person or bool(s.colour) == (s.subject in vocabulary.OBJECTS)
        assert (s.setting, s.colour) not in scenes.UNSEEN
        assert not s.camera or s.motion == "still"


def test_captions_of_several_and_of_two_say_so() -> None:
    rng = np.random.default_rng(2)
    for s in full(3):
        said = captions.caption(s, rng)
        if s.count > 1:
            assert any(word in said for word in vocabulary.COUNTS[s.count]), said
        if s.other:
            assert " and " in said, said
        if s.camera:
            assert any(phrase in said for phrase in vocabulary.CAMERAS[s.camera]), said
        if not s.is_person and (s.count > 1 or s.other):
            assert " is " not in said, said


def test_professions_are_tied_to_gender_and_skin_in_the_skewed_population_only() -> None:
    from byline.generation.starter.scene import skewed_kind

    def share(population: str) -> float:
        people = [s for s in full(4, population, people=1.0) if s.profession]
        return float(np.mean([(s.gender, s.skin) == skewed_kind(s.profession) for s in people]))

    assert share("skewed") > 0.85
    assert share("balanced") < 0.25  # one in six by chance


def test_sprites_without_the_font_say_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sprites, "PLACES", ())
    monkeypatch.delenv("BYLINE_EMOJI_FONT", raising=False)
    sprites.glyph.cache_clear()
    with pytest.raises(MissingWeights, match="Noto Color Emoji") as raised:
        sprites.glyph("fox")
    assert "fonts-noto-color-emoji" in str(raised.value.help)


@pytest.mark.parametrize("camera", vocabulary.CAMERAS)
def test_camera_moves_move_the_background(camera: str) -> None:
    scene = scenes.Scene("city", "still", 3, "ball", "red", camera=camera)
    frames, _ = scenes.render(scene, frames=2)
    still, _ = scenes.render(scenes.Scene("city", "still", 3, "ball", "red"), frames=2)
    assert frames.shape == still.shape
    assert np.abs(frames[0].astype(int) - frames[1]).mean() > 10
    assert np.array_equal(still[0], still[1])


def test_a_night_is_darker_than_the_day() -> None:
    def light(time: str) -> float:
        return float(scenes.render(scenes.Scene("meadow", "still", 1, "ball", "red", time=time), 1)[0].mean())

    assert light("night") < 0.5 * light("")


@pytest.mark.parametrize("shape", [(6, 20), (20, 6), (12, 12)])
def test_muons_update_has_singular_values_near_one(shape: tuple[int, int]) -> None:
    torch = heavy.load("torch")
    torch.manual_seed(0)
    values = torch.linalg.svdvals(muon.orthogonal(torch.randn(shape)))
    assert float(values.min()) > 0.4
    assert float(values.max()) < 1.4


def test_muon_finds_the_least_squares() -> None:
    torch = heavy.load("torch")
    torch.manual_seed(0)
    layer, target = torch.nn.Linear(12, 10), torch.randn(10, 12)
    optimiser = muon.Muon(layer.named_parameters(), decay=0.0)
    assert len(optimiser.matrices) == 1
    x = torch.randn(64, 12)

    def loss() -> Any:
        return (layer(x) - x @ target.T).square().mean()

    before = float(loss().detach())
    for step in range(200):
        loss().backward()
        optimiser.step(0.05 * (1 - step / 200))
        optimiser.zero()
    assert float(loss().detach()) < 0.1 * before


def test_the_reader_answers_every_head_and_its_truth_is_among_the_answers() -> None:
    torch = heavy.load("torch")
    logits = probe.network().eval()(torch.zeros(2, probe.FRAMES, 3, *probe.SIZE))
    rows = probe.answers(logits)
    assert set(rows[0]) == set(probe.HEADS)
    for scene in full(5)[:100]:
        assert all(value in probe.HEADS[head] for head, value in probe.truth(scene).items())


def test_the_reader_takes_clips_of_any_size() -> None:
    clip = np.zeros((17, 128, 224, 3), np.uint8)
    assert probe.sampled(clip).shape == (probe.FRAMES, *probe.SIZE, 3)


def test_the_upscaler_starts_from_a_plain_enlargement() -> None:
    torch = heavy.load("torch")
    model = upscaler.network().eval()
    with torch.no_grad():
        model.leave.weight.zero_()
        model.leave.bias.zero_()
    frames = np.full((2, 8, 12, 3), 90, np.uint8)
    made = upscaler.upscale(frames, model)
    assert made.shape == (2, 8 * upscaler.FACTOR, 12 * upscaler.FACTOR, 3)
    assert np.abs(made.astype(int) - 90).max() <= 1


def test_an_upscaler_without_weights_says_so(tmp_path: Path) -> None:
    with pytest.raises(MissingWeights):
        upscaler.load(tmp_path / "none.safetensors")


def test_left_and_right_are_told_apart_from_the_first_step() -> None:
    from byline.generation.starter import text, train_dit

    torch = heavy.load("torch")
    language = text.load()
    model = train_dit.build(0)
    said = text.embed(
        *language, ["a yellow fish moves left by the sea", "a yellow fish moves right by the sea"]
    )
    listener = model.condition_embedder.text_embedder

    def difference() -> float:
        with torch.no_grad():
            heard = listener(said)
        return float((heard[0] - heard[1]).norm() / heard.norm(dim=-1).mean())

    before = difference()
    train_dit.tell_apart(model, language)
    assert difference() > 2 * before
