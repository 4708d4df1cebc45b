"""Controls: what is taken, who carries it out, and that it can be measured in the frames."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import controls_motion as motion
from byline.audit.base.errors import InvalidInput
from byline.generation import intake
from byline.generation.controls import brush, camera, fitting, fx, likeness, retiming, shots, styles
from byline.generation.engines.base import EngineInfo, VideoTask, require_known

INFO = EngineInfo("e", "1", "r", "l", 160, 96, 9, 8.0, "t", drawn=True)
SHARES = st.floats(-0.5, 0.5)


def ground(width: int = 320, height: int = 180) -> np.ndarray:
    noise = np.random.default_rng(0).integers(0, 255, (24, 40, 3), dtype=np.uint8)
    return cv2.GaussianBlur(cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC), (0, 0), 2)


def ball(count: int = 9, step: int = 6) -> np.ndarray:
    frames = [ground() for _ in range(count)]
    for number, frame in enumerate(frames):
        cv2.circle(frame, (60 + number * step, 90), 24, (255, 0, 0), -1)
    return np.stack(frames)


class Engine:
    """Notes its tasks; refuses fields that it does not name, as engines do."""

    record: ClassVar[dict[str, Any]] = {"device": "cpu", "lossy": []}

    def __init__(self, **more: Any) -> None:
        self.info = replace(INFO, **more)
        self.tasks: list[VideoTask] = []

    def generate(
        self, task: VideoTask, progress: Callable[..., None] = print, check_cancelled: Any = None
    ) -> np.ndarray:
        require_known(task, fitting.heeded(self.info), "this engine")
        self.tasks.append(task)
        return np.zeros((9, task.height or 96, task.width or 160, 3), np.uint8)

    def self_check(self) -> None: ...

    def examples(self) -> tuple[()]:
        return ()

    def size_for(self, shape: float) -> tuple[int, int]:
        return (96, 160) if shape < 1 else (160, 96)


def fit(engine: Engine, operation: str = "text_to_video", seconds: float = 6.0, **options: Any) -> Any:
    return fitting.fit(engine, intake.options(options), operation, seconds=seconds)


@pytest.mark.parametrize("name", camera.MOVES)
def test_each_camera_move_is_the_one_that_is_measured(name: str) -> None:
    still = np.stack([ground()] * 7)
    poses = [camera.in_move(name, number / 6) for number in range(7)]
    seen = motion.ego(camera.filmed(camera.enlarged(still), poses))
    assert seen.move() == name, seen
    assert camera.widest(poses, 640, 360) == 0, "a named move needs no zoom beyond its own"


@settings(max_examples=60, deadline=None)
@given(x=SHARES, y=SHARES, zoom=st.floats(1, 4), roll=st.floats(-45, 45))
def test_the_window_never_leaves_the_picture(x: float, y: float, zoom: float, roll: float) -> None:
    frame = np.full((60, 100, 3), 200, np.uint8)
    frame[[0, -1]] = frame[:, [0, -1]] = 180
    pose = camera.Pose(x, y, zoom, roll)
    assert camera.needed_zoom(pose, 100, 60) >= zoom - 1e-9
    shown = camera.look(frame, pose)
    assert shown.shape == frame.shape
    assert shown.min() > 150, "nothing from beyond the edge"


def test_a_path_runs_over_the_whole_clip_and_says_what_is_wrong() -> None:
    keys = camera.check_path([{"t": 0, "zoom": 2}, {"t": 0.5, "x": 0.2}, {"t": 1, "roll": 10}])
    assert camera.on_path(keys, 0.25) == camera.Pose(0.1, 0.0, 2.0, 0.0)
    assert camera.on_path(keys, 1.0) == camera.Pose(0.2, 0.0, 2.0, 10.0)
    bad: list[Any] = [
        [], [{"t": 0}], [{"t": 0}, {"t": 0}], [{"t": 0}, {"x": 1}], [{"t": 0}, {"t": 1, "zoom": 9}],
        [{"t": 0}, {"t": 1, "x": float("nan")}], [{"t": 0}, {"t": 1, "spin": 1}], [{"t": 0}, {"t": True}],
        [{"t": n / 40} for n in range(40)], "left", [0, 1],
    ]  # fmt: skip
    for value in bad:
        with pytest.raises(InvalidInput):
            camera.check_path(value)
    done, facts = fit(Engine(), camera_path=[{"t": 0}, {"t": 1, "zoom": 2}]).finish(
        [np.stack([ground()] * 4)] * 2, seed=0
    )
    first, second = (motion.ego(shot).zoom for shot in done)
    assert 1.2 < first < 1.6
    assert 1.2 < second < 1.6, "the second shot goes on where the first ended"
    assert facts["camera"]["by"] == "warp of the decoded frames"


@pytest.mark.parametrize(
    ("word", "axis", "sign"), [("right", 0, 1), ("left", 0, -1), ("up", 1, -1), ("down", 1, 1)]
)
def test_a_brush_moves_what_lies_under_it_that_way(word: str, axis: int, sign: int) -> None:
    mask = np.zeros((180, 320), np.uint8)
    cv2.circle(mask, (130, 90), 34, 255, -1)
    done = brush.moved(np.stack([ground()] * 9), mask, brush.check({"direction": word, "amount": 0.4}))
    inside, outside = motion.regional_flow(done, mask)
    assert sign * inside[axis] > 0.8
    assert abs(inside[1 - axis]) < 0.2 * abs(inside[axis])
    assert np.linalg.norm(inside) > 20 * outside
    for wrong in ({}, {"direction": "north"}, {"direction": 400}, {"direction": 1, "amount": 0}, "left"):
        with pytest.raises(InvalidInput):
            brush.check(wrong)
    with pytest.raises(InvalidInput, match="covers nothing"):
        brush.moved(done, np.zeros((180, 320), np.uint8), brush.check({"direction": word}))


def test_more_motion_is_more_flow_and_the_shot_keeps_its_length() -> None:
    shot = ball()
    flows = [motion.mean_flow(retiming.retimed(shot, amount)) for amount in (0.0, 0.3, 0.6, 1.0)]
    assert flows == sorted(flows)
    assert flows[3] > 3 * flows[0] > 0
    assert retiming.retimed(shot, 0.4).shape == shot.shape
    assert np.array_equal(retiming.retimed(shot, 1.0), shot)


@pytest.mark.parametrize("key", fx.presets())
def test_every_preset_changes_the_look_and_nothing_else(key: str) -> None:
    shot = ball(4)
    once, again = fx.laid(shot, key, 7), fx.laid(shot, key, 7)
    assert once.shape == shot.shape
    assert once.dtype == np.uint8
    assert np.array_equal(once, again), "the seed decides"
    assert np.abs(once.astype(int) - shot).mean() > 3


def test_a_preset_is_stored_with_its_version_and_hash() -> None:
    assert intake.options({"fx": "noir"})["fx"] == intake.options({"fx": "noir@1"})["fx"] == "noir@1"
    facts = fit(Engine(), fx="noir").facts["fx"]
    assert facts == {"value": "noir@1", "by": "frames", "sha256": fx.presets()["noir@1"].sha256}
    for wrong in ("noir@9", "x", 3, None):
        with pytest.raises(InvalidInput):
            intake.options({"fx": wrong})


def test_takes_that_differ_are_told_from_one_clip_twice() -> None:
    one, same = likeness.look([ball()]), likeness.look([ball()])
    other = likeness.look([ball()[:, ::-1, ::-1]])
    assert likeness.alike(one, same) == pytest.approx(1)
    assert likeness.alike(one, other) < 0.5
    noisy = np.clip(ball().astype(int) + np.random.default_rng(1).normal(0, 4, ball().shape), 0, 255)
    assert likeness.alike(one, likeness.look([noisy.astype(np.uint8)])) > likeness.ALIKE
    halves = likeness.look([ball()[:4], ball()[4:]])
    assert likeness.alike(one, halves) == pytest.approx(1), "shots make no difference"


def test_shots_keep_within_their_limits() -> None:
    limits = {"shot_min_seconds": 2.0, "shot_max_seconds": 3.0}
    assert shots.count(6.0, None, limits) in (2, 3)
    assert shots.count(6.0, None, limits, INFO) == 3, "as near to the engine's own length as it goes"
    assert shots.count(6.0, 2, limits) == 2
    with pytest.raises(InvalidInput, match="break the limits"):
        shots.count(6.0, 6, limits)
    with pytest.raises(InvalidInput, match="No number"):
        shots.count(3.5, None, {"shot_min_seconds": 2.0, "shot_max_seconds": 3.0})
    with pytest.raises(InvalidInput, match="above"):
        shots.count(6.0, None, {"shot_min_seconds": 3.0, "shot_max_seconds": 2.0})
    assert fit(Engine(), **limits).values["shots"] == 3


def test_the_model_does_what_it_can_and_frames_the_rest() -> None:
    plain = fit(Engine(), motion=0.4, fps=12, camera="zoom_in", steps=3)
    assert {name: fact.get("by") for name, fact in plain.facts.items()} == {
        "motion": "retimed frames",
        "fps": "container",
        "steps": "model",
    }
    assert dict(plain.values) == {"steps": 3}
    able = Engine(
        controls=("prompt", "seed", "motion", "fps", "camera", "loras", "width", "height", "steps"),
        camera_moves=("zoom_in",),
        loras=("ink",),
    )
    done = fit(able, motion=0.4, fps=12, camera="zoom_in", loras=["ink"], aspect="9:16", steps=3)
    assert {fact["by"] for fact in done.facts.values()} == {"model", "model and container"}
    assert (done.engine.info.width, done.engine.info.height, done.engine.info.fps) == (96, 160, 12.0)
    done.engine.generate(VideoTask("a ball", motion=0.4, fps=12))
    task = able.tasks[0]
    assert (task.camera, task.loras, task.width, task.height) == ("zoom_in", ("ink",), 96, 160)
    assert fit(able, camera="roll_left").facts == {}, "a move that the model lacks is done to the frames"


@pytest.mark.parametrize(
    ("options", "operation", "why"),
    [
        ({"guidance": 3, "guidance_end": 4}, "text_to_video", "no control for guidance_end"),
        ({"strength": 0.4}, "text_to_video", "no control for strength"),
        ({"loras": ["ink"]}, "text_to_video", "no such LoRA"),
        ({"shots": 2}, "image_to_video", "no use for shots"),
        ({"factor": 2}, "text_to_video", "no use for factor"),
        ({"shot_min_seconds": 2}, "image_to_video", "does not choose"),
        ({"camera": "pan_left", "camera_path": [{"t": 0}, {"t": 1}]}, "text_to_video", "Either"),
    ],
)
def test_what_nobody_can_carry_out_is_refused(options: dict[str, Any], operation: str, why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        fit(Engine(), operation, **options)


def test_a_model_without_words_refuses_them() -> None:
    silent = Engine(controls=("seed", "image", "motion"))
    with pytest.raises(InvalidInput, match="heeds no words"):
        fit(silent, style="comic")
    with pytest.raises(InvalidInput, match="negative prompt"):
        fitting.fit(Engine(controls=("prompt",)), {}, negative_prompt=True)
    assert styles.worded("A red ball.", "comic") == "A red ball, in a comic book style"
    assert styles.worded("A red ball.", None) == "A red ball."


@pytest.mark.parametrize(
    "bad",
    [
        {"motion": 1.2}, {"motion": True}, {"motion": float("nan")}, {"fps": 12.5}, {"fps": 0}, {"steps": 0},
        {"camera": "up and away"}, {"camera": ["pan_left"]}, {"style": "x" * 10_000}, {"aspect": "4:3"},
        {"aspect": "9:16", "width": 1280, "height": 720}, {"aspect": "16:9", "width": 1280},
        {"width": 0, "height": 0}, {"width": 10**9}, {"width": 1920, "height": 1920}, {"width": 641},
        {"loras": []}, {"loras": ["a"] * 9}, {"loras": "a"}, {"brush": {"direction": "left", "speed": 2}},
        {"unheard_of": 1},
    ],
)  # fmt: skip
def test_values_out_of_bounds_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        intake.options(bad)


def test_an_aspect_is_a_size() -> None:
    assert intake.options({"aspect": "9:16"}) == {"aspect": "9:16", "width": 720, "height": 1280}
    assert intake.options({"aspect": "1:1", "width": 480, "height": 480})["width"] == 480
