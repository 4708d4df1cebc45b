"""Screening of frames: what each detector's answer leads to, and what happens when it cannot run."""

import sys
from typing import Any

import cv2
import numpy as np
import pytest

from byline.safety.checks import Check
from byline.safety.screen import faces, gates, nudity
from byline.safety.screen import frames as screen


def _shot(count: int = 17, moving: bool = True) -> np.ndarray:
    made = np.full((count, 64, 112, 3), (90, 140, 200), np.uint8)
    for index, frame in enumerate(made):
        cv2.circle(frame, (20 + 4 * index * moving, 32), 9, (220, 60, 40), -1, cv2.LINE_AA)
    return made


class FakeNudity:
    def __init__(self, found: list[dict[str, Any]]) -> None:
        self.found, self.seen = found, []

    def detect(self, picture: np.ndarray) -> list[dict[str, Any]]:
        self.seen.append(picture)
        return self.found


class FakeFaces:
    """Finds one face of `side` pixels with `chance` in the first `in_frames` pictures of a call."""

    def __init__(self, side: float, chance: float, in_frames: int) -> None:
        self.side, self.chance, self.in_frames = side, chance, in_frames

    def detect(self, pictures: list[np.ndarray]) -> tuple[list[Any], list[Any]]:
        box = np.array([[10.0, 10.0, 10 + self.side, 12 + self.side]])
        boxes = [box if n < self.in_frames else None for n in range(len(pictures))]
        return boxes, [np.array([None if box is None else self.chance]) for box in boxes]


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Detectors that find nothing, for tests of the other checks."""
    monkeypatch.setattr(nudity, "_detector", lambda: FakeNudity([]))
    monkeypatch.setattr(faces, "_detector", lambda smallest: FakeFaces(0, 0, 0))


def _named(checks: tuple[Check, ...], name: str) -> Check:
    (check,) = [check for check in checks if check.name == name]
    return check


def test_the_real_detectors_pass_a_harmless_shot() -> None:
    checks = screen.screen(_shot(), 6, drawn_by_us=False)
    assert {check.name for check in checks} == set(screen.NAMES)
    assert {(check.status, check.action) for check in checks} == {("available", "allow")}


@pytest.mark.parametrize(
    ("part", "score", "action"),
    [
        ("FEMALE_BREAST_EXPOSED", 0.49, "allow"),
        ("FEMALE_BREAST_EXPOSED", 0.5, "review"),
        ("BUTTOCKS_EXPOSED", 0.59, "allow"),
        ("BUTTOCKS_EXPOSED", 0.6, "review"),
        ("BUTTOCKS_EXPOSED", 0.81, "block"),
        ("MALE_GENITALIA_EXPOSED", 0.95, "block"),
        ("FACE_FEMALE", 0.99, "allow"),
        ("FEMALE_BREAST_COVERED", 0.99, "allow"),
        ("FEET_EXPOSED", 0.99, "allow"),
    ],
)
def test_nudity_thresholds(
    quiet: None, monkeypatch: pytest.MonkeyPatch, part: str, score: float, action: str
) -> None:
    found = [{"class": part, "score": score, "box": [0, 0, 9, 9]}]
    monkeypatch.setattr(nudity, "_detector", lambda: FakeNudity(found))
    check = _named(screen.screen(_shot(), 6, drawn_by_us=True), "output.nudity")
    assert (check.status, check.action) == ("available", action)


def test_pictures_reach_nudenet_in_its_channel_order(quiet: None, monkeypatch: pytest.MonkeyPatch) -> None:
    detector = FakeNudity([])
    monkeypatch.setattr(nudity, "_detector", lambda: detector)
    screen.screen(_shot(), 6, drawn_by_us=True)
    assert tuple(detector.seen[0][2, -2]) == (200, 140, 90)
    assert detector.seen[0].shape[1] >= 448, "a small shot is enlarged for the detector"


@pytest.mark.parametrize(("seconds", "fps", "looked_at"), [(0.5, 24, 3), (2.8, 6, 6), (8, 24, 8), (60, 4, 8)])
def test_number_of_frames_looked_at(
    quiet: None, monkeypatch: pytest.MonkeyPatch, seconds: float, fps: int, looked_at: int
) -> None:
    detector = FakeNudity([])
    monkeypatch.setattr(nudity, "_detector", lambda: detector)
    screen.screen(_shot(round(seconds * fps)), fps, drawn_by_us=True)
    assert len(detector.seen) == looked_at


@pytest.mark.parametrize(
    ("side", "chance", "in_frames", "drawn", "action"),
    [
        (40, 0.99, 6, False, "review"),
        (40, 0.99, 3, False, "review"),
        (40, 0.99, 2, False, "allow"),
        (40, 0.96, 6, False, "allow"),
        (10, 0.99, 6, False, "allow"),
        (40, 0.99, 6, True, "allow"),
    ],
)
def test_faces(
    quiet: None,
    monkeypatch: pytest.MonkeyPatch,
    side: float,
    chance: float,
    in_frames: int,
    drawn: bool,
    action: str,
) -> None:
    monkeypatch.setattr(faces, "_detector", lambda smallest: FakeFaces(side, chance, in_frames))
    check = _named(screen.screen(_shot(), 6, drawn_by_us=drawn), "output.faces")
    assert (check.status, check.action) == ("available", action)
    if drawn:
        assert check.evidence["frames_with_face"] == in_frames, "recorded all the same"
        assert "recorded" in check.detail


@pytest.mark.parametrize(("consented", "action"), [(0, "review"), (1, "allow"), (2, "allow")])
def test_faces_that_a_consent_covers(
    quiet: None, monkeypatch: pytest.MonkeyPatch, consented: int, action: str
) -> None:
    monkeypatch.setattr(faces, "_detector", lambda smallest: FakeFaces(40, 0.99, 6))
    check = _named(screen.screen(_shot(), 6, drawn_by_us=False, consented=consented), "output.faces")
    assert (check.action, check.evidence["consented"]) == (action, consented)


def _flashing(per_second: float, light: int, fps: int = 24, share: float = 1.0) -> np.ndarray:
    """Two seconds that change between dark and `light` over `share` of the picture."""
    made = np.full((2 * fps, 64, 112, 3), 40, np.uint8)
    for number, frame in enumerate(made):
        if int(number * per_second * 2 / fps) % 2:
            frame[:, : round(112 * share)] = light
    return made


@pytest.mark.parametrize(
    ("shot", "action"),
    [
        (_flashing(4, 220), "review"),
        (_flashing(6, 220, fps=30), "review"),
        (_flashing(4, 220, share=0.5), "review"),
        (_flashing(2, 220), "allow"),
        (_flashing(4, 60), "allow"),
        (_flashing(4, 220, share=0.1), "allow"),
        (_shot(), "allow"),
    ],
)
def test_flashes_are_held_from_more_than_three_a_second(shot: np.ndarray, action: str) -> None:
    check = gates.flicker(shot, 30 if len(shot) == 60 else 24 if len(shot) == 48 else 6)
    assert (check.status, check.action) == ("available", action), check.evidence


def test_a_fade_and_a_cut_are_no_flashes() -> None:
    fade = np.repeat(np.arange(20, 220, 4, dtype=np.uint8), 64 * 112 * 3).reshape(-1, 64, 112, 3)
    cut = np.concatenate([_shot(12), 255 - _shot(12)])
    assert gates.flicker(fade, 24).action == gates.flicker(cut, 24).action == "allow"


def test_a_blank_and_a_frozen_shot_are_blocked(quiet: None) -> None:
    blank = np.full((17, 64, 112, 3), 30, np.uint8)
    noise = np.random.default_rng(1).integers(-2, 3, (17, 64, 112, 3))
    frozen = np.clip(_shot(moving=False).astype(int) + noise, 0, 255).astype(np.uint8)
    for shot, category in ((blank, "blank"), (frozen, "frozen"), (_shot(1), "frozen")):
        check = _named(screen.screen(shot, 6, drawn_by_us=True), "output.blank_or_frozen")
        assert (check.status, check.action, check.category) == ("available", "block", category)


def test_a_small_movement_is_not_frozen(quiet: None) -> None:
    shot = np.full((17, 720, 1280, 3), (90, 140, 200), np.uint8)
    for index, frame in enumerate(shot):
        cv2.circle(frame, (200 + 2 * index, 300), 40, (220, 60, 40), -1)
    assert _named(screen.screen(shot, 6, drawn_by_us=True), "output.blank_or_frozen").action == "allow"


def test_a_missing_library_is_unavailable_and_a_broken_one_failed(
    quiet: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(smallest: int) -> Any:
        raise RuntimeError("secret text of the library")

    monkeypatch.undo()
    nudity._detector.cache_clear()
    monkeypatch.setitem(sys.modules, "nudenet", None)
    monkeypatch.setattr(faces, "_detector", broken)
    checks = screen.screen(_shot(), 6, drawn_by_us=True)
    assert _named(checks, "output.nudity").status == "unavailable"
    assert "nudenet" in _named(checks, "output.nudity").detail
    found = _named(checks, "output.faces")
    assert found.status == "failed"
    assert "secret" not in found.detail


def test_no_frames_fail_every_check() -> None:
    assert {check.status for check in screen.screen([], 6, drawn_by_us=True)} == {"failed"}
