"""The pure cores of the operations: masks, seams, windows, beats, anchoring."""

from __future__ import annotations

import itertools

import cv2
import numpy as np
import operations_kit as kit
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from byline.audit.base.errors import InvalidInput
from byline.generation.engines import steering
from byline.generation.engines.base import VideoTask
from byline.generation.operations import anchoring, beats, fitting, masks, measures
from byline.generation.operations.rhythm import pulsed

SIDES = st.integers(16, 60)


# ---------------------------------------------------------------- masks


@settings(max_examples=40, deadline=None)
@given(SIDES, SIDES, st.integers(0, 2**31), st.floats(0, 12))
def test_outside_the_mask_nothing_changes(width: int, height: int, seed: int, feather: float) -> None:
    chance = np.random.default_rng(seed)
    before, made = chance.integers(0, 256, (2, height, width, 3), dtype=np.uint8)
    mask = np.where(chance.random((height, width)) < 0.4, 255, 0).astype(np.uint8)
    mixed = masks.composite(before, masks.tinted(before, made, mask), mask, feather)
    assert np.array_equal(mixed[mask == 0], before[mask == 0])
    assert mixed.dtype == np.uint8


def test_the_seam_lies_inside_and_the_middle_is_the_made_picture() -> None:
    mask = np.zeros((60, 80), np.uint8)
    mask[10:50, 20:60] = 255
    share = masks.alpha(mask, 5)
    assert share[mask == 0].max() == 0
    assert share[30, 40] == 1
    assert 0 < share[10, 40] < share[12, 40] < share[14, 40]


def test_a_mask_at_the_border_is_not_faded_there() -> None:
    mask = np.zeros((40, 60), np.uint8)
    mask[:, :20] = 255
    assert masks.alpha(mask, 5)[20, 0] == 1


@pytest.mark.parametrize(
    "mask",
    [
        np.zeros((64, 112), np.uint8),  # nothing may change
        np.full((10, 10), 255, np.uint8),  # another shape
        np.full((3, 64, 112), 255, np.uint8),  # another length
        np.full((64, 112), 1.0),  # no eight bits
    ],
)
def test_a_mask_that_does_not_fit_is_refused(mask: np.ndarray) -> None:
    with pytest.raises(InvalidInput):
        masks.checked(mask, kit.scene(1))


def test_a_mask_may_be_painted_at_another_size() -> None:
    mask = np.zeros((128, 224), np.uint8)
    mask[:64] = 255
    found = masks.checked(mask, kit.scene(1))
    assert found.shape == kit.scene(1).shape[:3]
    assert (found[:, :32] == 255).all()
    assert (found[:, 32:] == 0).all()


@settings(max_examples=30, deadline=None)
@given(SIDES, SIDES, st.sampled_from([(16, 9), (9, 16), (1, 1), (4, 5)]))
def test_a_larger_canvas_has_the_aspect_and_holds_the_picture(
    width: int, height: int, aspect: tuple[int, int]
) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (2, height, width, 3), dtype=np.uint8)
    try:
        larger, mask = masks.extended(frames, aspect)
    except InvalidInput:
        return
    assert np.array_equal(larger[:, mask == 0].reshape(frames.shape), frames)
    tall, wide = mask.shape
    assert abs(wide * aspect[1] - tall * aspect[0]) <= max(aspect)


def test_the_box_of_a_mask() -> None:
    mask = np.zeros((2, 50, 100), np.uint8)
    mask[0, 10:20, 20:40] = 255
    mask[1, 10:30, 20:30] = 255
    assert masks.box(mask) == (20.0, 20.0, 20.0, 40.0)


# ---------------------------------------------------------------- measures


def test_a_clip_goes_on_from_itself_and_not_from_another() -> None:
    clip = kit.scene(1)
    assert measures.continuity(clip[:5], clip[5:]) > 0.8
    assert measures.continuity(clip[:5], 255 - clip[5:]) < measures.CONTINUOUS
    assert measures.continuity(clip[:5], np.repeat(clip[4:5], 5, axis=0)) == 1.0


def test_ssim_and_psnr_know_the_same_and_the_other() -> None:
    clip = kit.scene(1)
    noise = np.random.default_rng(0).integers(0, 256, clip[0].shape, dtype=np.uint8)
    assert measures.ssim(clip[0], clip[0]) == pytest.approx(1.0)
    assert measures.ssim(clip[0], noise) < 0.3
    assert measures.psnr(clip, clip) == 99.0
    shifted = np.clip(clip.astype(int) + 10, 0, 255).astype(np.uint8)
    where = np.zeros(clip.shape[1:3], bool)
    where[40:, :10] = True  # ground, far from white
    assert measures.psnr(clip, shifted, where) == pytest.approx(28.13, abs=0.01)


def test_ssim_is_that_of_scikit_image() -> None:
    from skimage.metrics import structural_similarity

    first, second = kit.scene(1, 2)
    grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in (first, second)]
    theirs = structural_similarity(
        *grey, data_range=255, gaussian_weights=True,
        sigma=1.5, use_sample_covariance=False,
    )  # fmt: skip
    assert measures.ssim(first, second) == pytest.approx(float(theirs), abs=0.003)


# ---------------------------------------------------------------- anchoring


def test_the_first_frame_is_the_given_one_and_the_rest_fades_into_the_models() -> None:
    clip = kit.scene(1)
    given_one = np.clip(clip[0].astype(int) + 12, 0, 255).astype(np.uint8)
    made, how = anchoring.anchored(clip, given_one, 6)
    assert how == anchoring.CARRIED
    assert np.array_equal(made[0], given_one)
    assert np.array_equal(made[6:], clip[6:])
    apart = [float(np.abs(a.astype(int) - b).mean()) for a, b in zip(made[:7], clip[:7], strict=True)]
    assert apart == sorted(apart, reverse=True)


def test_another_picture_is_faded_out_and_the_facts_say_so() -> None:
    clip = kit.scene(1)
    other = np.random.default_rng(0).integers(0, 256, clip[0].shape, dtype=np.uint8)
    made, how = anchoring.anchored(clip, other, 4)
    assert how == anchoring.FADED
    assert np.array_equal(made[0], other)
    assert np.array_equal(made[4:], clip[4:])


# ---------------------------------------------------------------- fitting


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 200), st.integers(1, 40), st.data())
def test_windows_cover_every_frame_once_or_in_an_overlap(
    total: int, length: int, data: st.DataObject
) -> None:
    overlap = data.draw(st.integers(0, length - 1))
    spans = list(fitting.windows(total, length, overlap))
    assert spans[0][0] == 0
    assert spans[-1][1] == total
    assert all(end - start == min(length, total) for start, end in spans)
    assert all(b[0] <= a[1] - overlap and b[0] > a[0] for a, b in itertools.pairwise(spans))


@settings(max_examples=40, deadline=None)
@given(st.integers(16, 400), st.integers(16, 400))
def test_material_comes_back_in_its_shape(width: int, height: int) -> None:
    info = kit.DrawingEngine().info
    picture = np.zeros((height, width, 3), np.uint8)
    whole = fitting.whole(picture, info, 1)
    canvas = whole.to_engine(whole.material(picture[None]))
    assert canvas.shape == (1, info.height, info.width, 3)
    assert whole.from_engine(canvas[0]).shape == (height, width, 3)
    filling = fitting.filling(picture, info, 1)
    canvas = filling.to_engine(filling.material(picture[None]))
    assert canvas.shape == (1, info.height, info.width, 3)


def test_a_huge_picture_is_worked_on_smaller() -> None:
    info = kit.DrawingEngine().info
    wide = fitting.whole(np.zeros((2000, 8000, 3), np.uint8), info, 10)
    assert max(wide.size) == fitting.MAX_SIDE
    long = fitting.whole(np.zeros((720, 1280, 3), np.uint8), info, 3000)
    assert 3 * 3000 * long.size[0] * long.size[1] <= fitting.MAX_BYTES * 1.02


@pytest.mark.parametrize(
    "clip", [None, np.zeros((0, 64, 64, 3), np.uint8), np.zeros((4, 64, 64, 4), np.uint8)]
)
def test_what_is_no_clip_is_refused(clip: np.ndarray | None) -> None:
    with pytest.raises(InvalidInput):
        fitting.clip_of(clip, 24, 60)


# ---------------------------------------------------------------- beats


@pytest.mark.parametrize("tempo", [60, 75, 90, 105, 120, 137, 150])
def test_beats_of_a_click_track_lie_on_its_clicks(tempo: float) -> None:
    sound, times = kit.clicks(tempo, 12)
    found = beats.detect(sound, 22_050)
    apart = [np.abs(times - beat).min() for beat in found.times]
    assert max(apart) < 1 / 48  # half a frame at 24 a second
    assert found.tempo == pytest.approx(tempo, rel=0.02)


@settings(max_examples=15, deadline=None)
@given(st.floats(55, 190), st.floats(0.05, 1.0), st.integers(0, 2**31))
def test_every_beat_is_one_of_the_clicks_at_any_tempo(tempo: float, start: float, seed: int) -> None:
    """At a high tempo every second click may be taken for the beat: half the tempo, but on the clicks."""
    sound, times = kit.clicks(tempo, 10, start=start)
    noisy = sound + 0.01 * np.random.default_rng(seed).normal(size=len(sound))
    found = beats.detect(noisy.astype(np.float32), 22_050)
    within = [np.abs(times - beat).min() <= 1 / 24 for beat in found.times if times[0] - 0.1 < beat]
    assert np.mean(within) >= 0.95


@pytest.mark.parametrize("what", ["silence", "noise", "tone", "short"])
def test_what_has_no_beat_is_said_to_have_none(what: str) -> None:
    rate, time = 22_050, np.arange(8 * 22_050) / 22_050
    sounds = {
        "silence": np.zeros(len(time)),
        "noise": 0.1 * np.random.default_rng(0).normal(size=len(time)),
        "tone": 0.3 * np.sin(2 * np.pi * 350 * time),
        "short": kit.clicks(120, 2)[0],
    }
    with pytest.raises(beats.NoBeat):
        beats.detect(sounds[what].astype(np.float32), rate)


@settings(max_examples=40, deadline=None)
@given(st.floats(50, 200), st.floats(2, 60), st.floats(0.3, 5))
def test_cuts_are_beats_and_no_shot_is_too_short(tempo: float, seconds: float, shortest: float) -> None:
    grid = beats.Beats(tempo, tuple(np.arange(0.2, 70, 60 / tempo)), 1.0)
    cuts = beats.cut_times(grid, seconds, shortest)
    assert set(cuts) <= set(grid.times)
    assert all(b - a >= shortest - 1e-6 for a, b in itertools.pairwise(cuts))
    assert all(cut < seconds for cut in cuts)


def test_a_pulse_is_no_flash() -> None:
    """WCAG 2.2, 2.3.1: a flash changes relative luminance by a tenth or more; the loudest pulse does not."""
    flat = np.full((40, 60, 3), 200, np.uint8)

    def luminance(frame: np.ndarray) -> float:
        value = frame.mean() / 255
        return float(((value + 0.055) / 1.055) ** 2.4)

    assert luminance(pulsed(flat, 1.0)) - luminance(pulsed(flat, 0.0)) < 0.1
    assert np.array_equal(pulsed(flat, 0.0), flat)


def test_the_envelope_is_that_of_the_song() -> None:
    rate = 8_000
    loud = np.repeat([0.1, 1.0, 0.1, 1.0], rate).astype(np.float32)
    level = beats.envelope(loud * np.sin(np.arange(4 * rate)).astype(np.float32), rate, 24, 96)
    assert level[12] < 0.1 < 0.9 < level[36]


# ---------------------------------------------------------------- the starter, led by pictures


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 5), st.integers(0, 2**31))
def test_a_latent_is_kept_only_where_every_pixel_behind_it_is(groups: int, seed: int) -> None:
    frames = 1 + 4 * groups
    keep = np.random.default_rng(seed).random((frames, 16, 24)) < 0.97
    kept = steering.latent_keep(keep, 8)
    assert kept.shape == (1 + groups, 2, 3)
    for t in range(1 + groups):
        span = slice(0, 1) if t == 0 else slice(1 + 4 * (t - 1), 1 + 4 * t)
        for y in range(2):
            for x in range(3):
                assert kept[t, y, x] == keep[span, 8 * y : 8 * y + 8, 8 * x : 8 * x + 8].all()


def test_first_and_last_frame_are_kept_and_nothing_else() -> None:
    clip = kit.scene(1)
    wanted = steering.given(VideoTask("x", image=clip[0], last_image=clip[-1]), 9, 112, 64)
    assert wanted is not None
    assert wanted.keep is not None
    assert wanted.keep[0].all()
    assert wanted.keep[-4:].all()
    assert not wanted.keep[1:-4].any()
    assert np.array_equal(wanted.clip[-1], clip[-1])


@pytest.mark.parametrize(
    "task",
    [
        VideoTask("x", image=np.zeros((8, 8, 3), np.uint8)),
        VideoTask("x", video=np.zeros((9, 64, 112, 3), np.float32)),
        VideoTask("x", mask=np.zeros((64, 112), np.uint8)),
        VideoTask("x", video=np.zeros((5, 64, 112, 3), np.uint8)),
        VideoTask("x", pose=np.zeros((9, 64, 112, 3), np.uint8)),
    ],
)
def test_what_does_not_fit_the_starter_is_refused(task: VideoTask) -> None:
    with pytest.raises(InvalidInput):
        steering.given(task, 9, 112, 64)
