"""Measures of shots: each answers to what it is about, and says "not checked" where it cannot be taken."""

from typing import Any

import cv2
import numpy as np
import pytest

from byline.audit.base.errors import ConfigurationError, MissingWeights
from byline.generation.quality import agreement, measures
from byline.generation.quality.measures import KINDS, NOT_CHECKED, Measure
from byline.generation.quality.settings import Thresholds, thresholds

RNG = np.random.default_rng(4)
GROUND = np.clip(
    cv2.resize(RNG.uniform(30, 220, (9, 16, 3)), (160, 96), interpolation=cv2.INTER_CUBIC), 0, 255
)


def _shot(count: int = 16, speed: float = 2.0, **change: Any) -> np.ndarray:
    frames = np.stack([GROUND.astype(np.uint8)] * count)
    for number, frame in enumerate(frames):
        cv2.circle(frame, (25 + round(speed * number), 48), 16, (230, 40, 30), -1, cv2.LINE_AA)
        if number in change.get("pop", ()):
            cv2.rectangle(frame, (110, 20), (140, 60), (250, 250, 20), -1)
    if "flash" in change:
        lift = np.where(np.arange(count) % 2, change["flash"], 0)[:, None, None, None]
        frames = np.clip(frames.astype(int) + lift, 0, 255).astype(np.uint8)
    if "blur" in change:
        frames = np.stack([cv2.GaussianBlur(frame, (0, 0), change["blur"]) for frame in frames])
    return frames


def _of(shot: np.ndarray, fps: float = 8.0) -> dict[str, float | None]:
    return {item.name: item.value for item in measures.measure([shot], fps)}


def test_motion_rises_with_speed_and_is_zero_for_a_still() -> None:
    found = [_of(_shot(speed=speed))["motion"] for speed in (0.0, 1.0, 3.0)]
    assert found[0] == pytest.approx(0, abs=0.05)
    assert found[0] < found[1] < found[2]  # type: ignore[operator]
    assert _of(_shot(), fps=16)["motion"] == pytest.approx(2 * _of(_shot(), fps=8)["motion"], rel=1e-3)  # type: ignore[operator]


def test_flicker_answers_to_light_and_not_to_a_fade() -> None:
    fade = np.stack([np.clip(frame * (0.5 + n / 40), 0, 255) for n, frame in enumerate(_shot(speed=0))])
    calm, lit = _of(_shot())["flicker"], _of(_shot(flash=20))["flicker"]
    assert lit > 10 * max(calm, 0.5)  # type: ignore[type-var,operator]
    assert _of(fade.astype(np.uint8))["flicker"] < 1.0  # type: ignore[operator]


def test_a_thing_that_appears_and_vanishes_is_two_pops_and_motion_is_none() -> None:
    assert _of(_shot())["pop_ins"] == 0
    assert _of(_shot(pop=range(6, 11)))["pop_ins"] == 2


def test_consistency_falls_where_the_picture_jumps() -> None:
    jump = _shot()
    jump[8:] = 255 - jump[8:]
    assert _of(_shot())["temporal_consistency"] > 0.9  # type: ignore[operator]
    assert _of(jump)["temporal_consistency"] < 0.2  # type: ignore[operator]
    plain = np.full((8, 48, 80, 3), 90, np.uint8)
    assert _of(plain)["temporal_consistency"] == 1.0


def test_sharpness_and_warp_error_answer_to_blur_and_noise() -> None:
    assert _of(_shot(blur=2.0))["sharpness"] < 0.6 * _of(_shot())["sharpness"]  # type: ignore[operator]
    noisy = np.clip(_shot() + RNG.normal(0, 25, (16, 96, 160, 3)), 0, 255).astype(np.uint8)
    assert _of(noisy)["warp_error"] > 3 * _of(_shot())["warp_error"]  # type: ignore[operator]


def test_one_frame_has_no_time_and_says_so() -> None:
    found = {item.name: item for item in measures.measure([_shot(1)], 8)}
    assert found["sharpness"].value is not None
    for name in ("motion", "flicker", "warp_error", "pop_ins"):
        said = found[name].as_dict()
        assert said["status"] == NOT_CHECKED
        assert said["why"] == "a single frame"
        assert "value" not in said


def test_several_shots_count_by_the_worst_of_them() -> None:
    found = {item.name: item for item in measures.measure([_shot(speed=0.0), _shot(speed=3.0)], 8)}
    assert found["motion"].value == min(found["motion"].shots)
    assert found["warp_error"].value == max(found["warp_error"].shots)  # type: ignore[type-var]
    assert len(found["motion"].as_dict()["shots"]) == 2


def test_every_measure_has_a_version_and_none_of_them_compares_with_a_reference() -> None:
    for item in measures.measure([_shot()], 8):
        said = item.as_dict()
        assert said["version"]
        assert said["unit"]
        assert said["about"] in {"prompt", "time", "picture", "sound"}
        assert not {"psnr", "ssim"} & set(said["name"].split("_"))
    assert {kind.about for kind in KINDS.values()} == {"time", "picture"}


class Scorer:
    """The role "agreement" for the tests: red pictures fit prompts with "red"."""

    models: tuple[str, ...] = ("known",)

    def covers(self, model: str) -> bool:
        return model in self.models

    def score(self, frames: Any, prompt: str) -> float:
        red = float(frames[0][..., 0].mean()) > 128
        return 0.9 if red == ("red" in prompt) else 0.1

    def self_check(self) -> None: ...

    def examples(self) -> tuple[Any, ...]:
        return ()


@pytest.fixture
def scorer(settings: Any) -> None:
    entry = {"agreement": {"CLASS": f"{Scorer.__module__}.Scorer"}}
    settings.BYLINE = {**settings.BYLINE, "SCREENERS": entry}


def test_agreement_is_the_worst_shots_and_not_checked_for_other_engines(scorer: None) -> None:
    red, blue = np.zeros((4, 8, 8, 3), np.uint8), np.zeros((4, 8, 8, 3), np.uint8)
    red[..., 0], blue[..., 2] = 200, 200
    assert agreement.measure([red, red], ["red", "red"], "known").value == 0.9
    found = agreement.measure([red, blue], ["red", "red"], "known")
    assert found.value == 0.1
    assert found.shots == (0.9, 0.1)
    assert found.version == "Scorer"
    for model, setting in (("unknown", None), ("known", {})):
        other = agreement.measure([red], ["red"], model) if setting is None else None
        if other is not None:
            assert other.as_dict()["status"] == NOT_CHECKED


def test_a_screener_without_its_weights_is_not_checked(scorer: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(self: Any, frames: Any, prompt: str) -> float:
        raise MissingWeights("gone")

    monkeypatch.setattr(Scorer, "score", missing)
    said = agreement.measure([np.zeros((4, 8, 8, 3), np.uint8)], ["red"], "known").as_dict()
    assert (said["status"], said["why"]) == (NOT_CHECKED, "missing_weights")


def test_without_a_screener_nothing_is_checked(settings: Any) -> None:
    settings.BYLINE = {**settings.BYLINE, "SCREENERS": {}}
    assert agreement.measure([np.zeros((2, 8, 8, 3), np.uint8)], ["x"], "known").value is None


def test_thresholds_are_settings_with_bounds(settings: Any) -> None:
    assert thresholds() == Thresholds()
    settings.BYLINE = {**settings.BYLINE, "QUALITY": {"RETRIES": 1, "REVIEW_BELOW": 0.4}}
    assert thresholds().retries == 1
    for wrong in (
        {"RETRIES": 3},
        {"RETRY_BELOW": 2},
        {"MOTION_FLOOR": -1},
        {"OTHER": 1},
        {"RETRIES": True},
        [],
    ):
        settings.BYLINE = {**settings.BYLINE, "QUALITY": wrong}
        with pytest.raises(ConfigurationError, match="QUALITY"):
            thresholds()


def test_a_measure_without_a_value_never_reads_as_a_number() -> None:
    said = Measure("x", "time", "u", "1", None, "why").as_dict()
    assert said == {
        "name": "x",
        "about": "time",
        "unit": "u",
        "version": "1",
        "status": NOT_CHECKED,
        "why": "why",
    }
