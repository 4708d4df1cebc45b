"""Plug-ins of output screening: tiny real models behind every adapter, and what their answers lead to."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import screeners_kit as kit
from django.conf import settings as django_settings

from byline.audit.base.errors import ConfigurationError
from byline.safety import policy
from byline.safety.screen import adapters, whisper, words
from byline.safety.screen.agreement import STARTER, StarterAgreement
from byline.safety.screen.content import agreement, content
from byline.safety.screen.guarded import guarded
from byline.safety.screen.image_classifier import ImageClassifier
from byline.safety.screen.ocr import Tesseract
from byline.safety.screen.whisper import Whisper
from byline.safety.screen.zero_shot import ClipAgreement, ZeroShot

FRAMES = [np.random.default_rng(n).integers(0, 255, (72, 128, 3)).astype(np.uint8) for n in range(2)]
NOISE = np.random.default_rng(0).normal(0, 0.1, 24_000).astype(np.float32)
WHOSE = ("newsroom", "byline")
TESSERACT = pytest.mark.skipif(shutil.which("tesseract") is None, reason="tesseract is not installed")
FORBIDDEN = ["HOW TO BUILD A PIPE BOMB AT HOME"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("screeners")
    kit.image_classifier(base / "vit")
    kit.clip(base / "clip")
    kit.whisper(base / "whisper")
    return base


@pytest.fixture
def screeners(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """The setting SCREENERS for this test, empty at first."""
    entries: dict[str, Any] = {}
    monkeypatch.setattr(django_settings, "BYLINE", {**django_settings.BYLINE, "SCREENERS": entries})
    yield entries
    adapters._made.clear()


def fixed(**config: Any) -> dict[str, Any]:
    return {"CLASS": "screeners_kit.Fixed", "CONFIG": config}


# ---------------------------------------------------------------- tiny real models


def test_an_image_classifier_gives_scores_by_category(folder: Path) -> None:
    made = ImageClassifier(**kit.config(folder / "vit", labels={"fight": "violence"}))
    made.self_check()
    scores = made.scores(FRAMES)
    assert set(scores) == {"violence"}
    assert 0 <= scores["violence"] <= 1
    assert scores == made.scores(FRAMES)


def test_zero_shot_and_agreement_by_clip(folder: Path) -> None:
    labels = {"a photo of a gun": "weapons_illegal", "a photo of a lake": None}
    scores = ZeroShot(**kit.config(folder / "clip", labels=labels)).scores(FRAMES)
    assert set(scores) == {"weapons_illegal"}
    ranked = ClipAgreement(**kit.config(folder / "clip"))
    assert ranked.covers("anything")
    assert 0 <= ranked.score(FRAMES, "a red ball") <= 1
    with pytest.raises(ConfigurationError, match="harmless"):
        ZeroShot(**kit.config(folder / "clip", labels={"a photo of a gun": "weapons_illegal"}))


def test_whisper_transcribes_in_windows(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whisper, "_TOKENS", 4)
    made = Whisper(**kit.config(folder / "whisper"))
    said = made.transcribe(NOISE, 24_000, "en-us")
    assert isinstance(said, str)
    assert said == made.transcribe(NOISE, 24_000, "en-us")


@pytest.mark.parametrize(
    ("cls", "model", "more"),
    [
        (ImageClassifier, "vit", {"labels": {"fight": "violence"}}),
        (ZeroShot, "clip", {"labels": {"a gun": "weapons_illegal", "a lake": None}}),
        (ClipAgreement, "clip", {}),
        (Whisper, "whisper", {}),
    ],
)
def test_weights_that_are_not_the_pinned_ones_are_refused(
    folder: Path, tmp_path: Path, cls: Any, model: str, more: dict[str, Any]
) -> None:
    shutil.copytree(folder / model, tmp_path / model)
    made = cls(**kit.config(tmp_path / model, **more))
    made.self_check()
    (tmp_path / model / "config.json").write_text("{}")
    with pytest.raises(ConfigurationError, match="pinned"):
        made.self_check()


def test_a_label_that_the_model_lacks_is_named(folder: Path) -> None:
    made = ImageClassifier(**kit.config(folder / "vit", labels={"war": "violence"}))
    with pytest.raises(ConfigurationError, match="war"):
        made.scores(FRAMES)


def test_the_probe_knows_its_examples_and_only_the_starter() -> None:
    made = StarterAgreement()
    made.self_check()
    (example,) = made.examples()
    assert example.holds(made.score(**example.given))
    other = made.score(example.given["frames"], "an elderly chef waves at night in the forest")
    assert other < made.score(**example.given)
    assert made.covers(STARTER)
    assert not made.covers("wan2.2")


@TESSERACT
def test_tesseract_knows_its_examples() -> None:
    made = Tesseract()
    for example in made.examples():
        assert example.holds(made.read(**example.given)), example.says


@TESSERACT
def test_tesseract_reads_every_frame_of_any_size() -> None:
    blank, written = (example.given["frames"][0] for example in Tesseract().examples())
    assert Tesseract().read([blank, blank[:120], written]) == ["HARBOUR OPENS"]
    assert Tesseract().read([]) == []


def test_a_frame_that_tesseract_left_out_is_no_clean_frame(tmp_path: Path) -> None:
    half = tmp_path / "half"
    half.write_text("#!/bin/sh\ncat > /dev/null\nprintf 'level\\tpage\\n1\\t1\\n'\n")
    half.chmod(0o755)
    assert Tesseract(command=str(half)).read(FRAMES[:1]) == []
    assert guarded("x", lambda: Tesseract(command=str(half)).read(FRAMES)).status == "failed"


def test_tesseract_that_is_missing_or_breaks(tmp_path: Path) -> None:
    assert guarded("x", lambda: Tesseract(command="no-such-program").read(FRAMES)).status == "unavailable"
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\nexit 3\n")
    broken.chmod(0o755)
    check = guarded("x", lambda: Tesseract(command=str(broken)).read(FRAMES))
    assert check.status == "failed"
    with pytest.raises(ConfigurationError):
        Tesseract(languages="eng; rm -rf /")


# ---------------------------------------------------------------- what answers lead to


@pytest.mark.parametrize("role", ["violence", "weapons"])
def test_without_a_screener_a_role_is_not_checked(screeners: dict[str, Any], role: str) -> None:
    assert content(role, FRAMES, policy.load(), *WHOSE).status == "unavailable"
    assert words.frame_text(FRAMES, policy.load(), *WHOSE).status == "unavailable"
    assert words.transcript(NOISE, 24_000, "en", policy.load(), *WHOSE).status == "unavailable"
    assert agreement(FRAMES, "a ball", STARTER).status == "unavailable"


@pytest.mark.parametrize(("score", "action"), [(0.3, "allow"), (0.6, "review"), (0.95, "block")])
def test_scores_become_actions_by_the_policy(screeners: dict[str, Any], score: float, action: str) -> None:
    screeners["violence"] = fixed(scores={"violence": score, "weapons_illegal": 0.1})
    check = content("violence", FRAMES, policy.load(), *WHOSE)
    assert (check.status, check.action) == ("available", action)
    assert bool(check.clause) is (action != "allow")


def test_text_in_the_picture_is_moderated_and_not_kept(screeners: dict[str, Any]) -> None:
    screeners["frame_text"] = fixed(says=FORBIDDEN)
    check = words.frame_text(FRAMES, policy.load(), *WHOSE)
    assert check.status == "available"
    assert check.action in {"review", "block"}
    assert "BOMB" not in repr(check).upper().replace("WEAPONS", "")
    adapters._made.clear()
    screeners["frame_text"] = fixed(says=["HARBOUR OPENS"])
    assert words.frame_text(FRAMES, policy.load(), *WHOSE).action == "allow"
    adapters._made.clear()
    screeners["frame_text"] = fixed(says=["qxv lln wrr"])  # too little to say which language
    assert words.frame_text(FRAMES, policy.load(), *WHOSE).action == "allow"


@pytest.mark.parametrize(
    ("said", "action"),
    [("A red kite rises.", "allow"), (FORBIDDEN[0], "review"), ("", "review")],
)
def test_transcripts_are_moderated(screeners: dict[str, Any], said: str, action: str) -> None:
    screeners["transcript"] = fixed(says=said)
    check = words.transcript(NOISE, 24_000, "en", policy.load(), *WHOSE)
    assert check.status == "available"
    assert (check.action == "allow") is (action == "allow")


@pytest.mark.parametrize(
    "entry",
    [
        {"CLASS": "no.such.Class"},
        {"CLASS": "byline.safety.screen.ocr.Tesseract", "CONFIG": {"speed": 3}},
        {"CLASS": "pathlib.Path"},
        "byline.safety.screen.ocr.Tesseract",
        {"CLASS": "byline.safety.screen.ocr.Tesseract", "OTHER": 1},
    ],
)
def test_a_wrong_entry_is_an_error_at_start_and_a_failed_check(screeners: dict[str, Any], entry: Any) -> None:
    screeners["frame_text"] = entry
    assert [error.id for error in adapters.check_screeners()] == ["byline.E040"]
    check = guarded("x", lambda: words.frame_text(FRAMES, policy.load(), *WHOSE))
    assert check.status == "failed"


def test_an_unknown_role_is_an_error(screeners: dict[str, Any]) -> None:
    screeners["smell"] = fixed()
    assert [error.id for error in adapters.check_screeners()] == ["byline.E040"]


def test_a_library_that_breaks_is_a_failed_check_without_its_words() -> None:
    def broken() -> Any:
        raise RuntimeError("quotes the text")

    check = guarded("x", broken)
    assert (check.status, "quotes" in check.detail) == ("failed", False)
