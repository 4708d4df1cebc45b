"""Enhancement: each step does what it says, measurably, and nothing that was not asked for is done."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from byline.audit.base.errors import ConfigurationError, MissingWeights
from byline.generation import brands, enhance
from byline.generation.enhance import colour, noise, rate, sharpness, stabilisation, upscaling
from byline.generation.quality import camera

KIT: dict[str, Any] = {"colours": {"primary": "#12203a", "accent": "#ffb224", "text": "#ffffff"}}


def _scene(count: int = 9, shift: float = 2.0, size: tuple[int, int] = (160, 96)) -> np.ndarray:
    """A textured ground with hard edges, before which a disc moves."""
    width, height = size
    rng = np.random.default_rng(3)
    ground = cv2.resize(rng.uniform(60, 190, (12, 20, 3)), size, interpolation=cv2.INTER_CUBIC)
    ground[:, width // 2 : width // 2 + 6] = 20
    frames = np.stack([np.clip(ground, 0, 255)] * count).astype(np.uint8)
    for number, frame in enumerate(frames):
        cv2.circle(frame, (30 + round(shift * number), height // 2), 14, (230, 40, 30), -1, cv2.LINE_AA)
    return frames


def _psnr(one: np.ndarray, other: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / np.mean((one.astype(float) - other) ** 2)))


def _sharpness(frame: np.ndarray) -> float:
    return float(cv2.Laplacian(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), cv2.CV_64F).var())


@pytest.mark.parametrize("sigma", [6.0, 14.0])
def test_noise_goes_and_edges_stay(sigma: float) -> None:
    clean = _scene()
    rng = np.random.default_rng(1)
    noisy = np.clip(clean + rng.normal(0, sigma, clean.shape), 0, 255).round().astype(np.uint8)
    assert noise.level(noisy) == pytest.approx(sigma, rel=0.35)
    done = noise.denoise(noisy)
    assert done.shape == clean.shape
    assert done.dtype == np.uint8
    assert _psnr(done, clean) > _psnr(noisy, clean) + 3
    blurred = np.stack([cv2.GaussianBlur(frame, (0, 0), 2) for frame in noisy])
    edge = np.s_[:, 4:-4, 76:90]
    assert _psnr(done[edge], clean[edge]) > _psnr(blurred[edge], clean[edge]) + 3
    step = done[4, 10:86, 79].astype(float).mean() - done[4, 10:86, 82].astype(float).mean()
    true = clean[4, 10:86, 79].astype(float).mean() - clean[4, 10:86, 82].astype(float).mean()
    assert step == pytest.approx(true, rel=0.15), "the edge is as high as it was"


def test_a_shot_without_noise_is_left_alone() -> None:
    assert noise.denoise(clean := _scene()) is clean


def test_sharpening_raises_the_detail_and_rings_by_no_more_than_it_says() -> None:
    soft = cv2.GaussianBlur(_scene()[0], (0, 0), 1.2)
    sharp = sharpness.sharpen(soft)
    assert _sharpness(sharp) > 1.3 * _sharpness(soft)
    low, high = (f(soft, np.ones((3, 3), np.uint8)).astype(int) for f in (cv2.erode, cv2.dilate))
    assert (sharp >= low - sharpness.OVERSHOOT).all()
    assert (sharp <= high + sharpness.OVERSHOOT).all()
    flat = np.full((32, 48, 3), 90, np.uint8)
    assert np.array_equal(sharpness.sharpen(flat), flat)


@pytest.mark.parametrize("factor", [2, 4])
def test_upscaling_gives_the_exact_size_and_beats_plain_enlarging(factor: int) -> None:
    large = _scene(1, size=(640, 384))[0]
    small = cv2.resize(large, (640 // factor, 384 // factor), interpolation=cv2.INTER_AREA)
    made = upscaling.ClassicUpscaler().upscale(small, factor)
    assert made.shape == large.shape
    plain = cv2.resize(small, (640, 384), interpolation=cv2.INTER_LINEAR)
    assert _psnr(made, large) > _psnr(plain, large)
    assert made.max() <= int(small.max()) + 1


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from([2, 4]))
def test_any_size_is_doubled_exactly(width: int, height: int, factor: int) -> None:
    frame = np.full((height, width, 3), 77, np.uint8)
    big = upscaling.ClassicUpscaler().upscale(frame, factor)
    assert big.shape == (height * factor, width * factor, 3)
    assert (big == 77).all()


def test_the_shipped_upscaler_keeps_its_examples() -> None:
    plugin = upscaling.load("default", "any engine")
    assert isinstance(plugin, upscaling.Upscaler)
    for example in plugin.examples():
        assert example.holds(plugin.upscale(example.frame, example.factor)), example.says


class Learned(upscaling.ClassicUpscaler):
    """One that knows the pictures of one engine, and whose weights are not there."""

    engines = ("starter",)

    def self_check(self) -> None:
        raise MissingWeights("upscaler.safetensors is missing")


def test_a_learned_upscaler_is_asked_first_whether_it_can(settings: Any) -> None:
    entry = {"CLASS": f"{Learned.__module__}.Learned"}
    settings.BYLINE = {**settings.BYLINE, "UPSCALERS": {"own": entry}}
    with pytest.raises(upscaling.UpscalerUnfit):
        upscaling.load("own", "another engine")
    with pytest.raises(MissingWeights):
        upscaling.load("own", "starter")
    with pytest.raises(ConfigurationError, match="upscaler"):
        upscaling.load("absent", "starter")


def test_twice_the_frames_and_each_new_one_lies_between() -> None:
    frames = _scene(6, shift=8.0)
    doubled = list(rate.double(frames))
    assert len(doubled) == 12
    assert all(np.array_equal(doubled[2 * n], frames[n]) for n in range(6))
    centres = [np.flatnonzero((f[..., 0].astype(int) - f[..., 2] > 140).any(axis=0)).mean() for f in doubled]
    steps = np.diff(centres)[:-1]
    assert (steps > 2).all(), "the disc moves at every step, by about half of 8 pixels"
    assert (steps < 6.5).all()


def _shaken(amount: float) -> np.ndarray:
    rng = np.random.default_rng(5)
    ground = cv2.resize(rng.uniform(20, 235, (40, 70, 3)), (400, 260), interpolation=cv2.INTER_CUBIC)
    ground = np.clip(ground, 0, 255).astype(np.uint8)
    frames = []
    for number in range(32):
        x, y = rng.normal(0, amount, 2)
        matrix = np.array([[1, 0, -60 - 1.5 * number + x], [0, 1, -60 + y]])
        frames.append(cv2.warpAffine(ground, matrix, (240, 136), flags=cv2.INTER_LINEAR))
    return np.stack(frames)


def test_a_shaken_camera_is_steadied_and_its_pan_stays() -> None:
    shaken = _shaken(2.0)
    steady = stabilisation.stabilise(shaken, 24)
    assert steady.shape == shaken.shape
    before, after = camera.jerk(shaken), camera.jerk(steady)
    assert before is not None
    assert after is not None
    assert after < 0.5 * before
    pan = camera.steps(steady)[4:-4, 0].mean()
    assert pan == pytest.approx(-1.5, abs=0.6), "the way the camera went is kept (enlarged a little)"


def test_a_moving_ball_in_a_plain_sky_is_no_camera() -> None:
    sky = np.full((12, 96, 160, 3), (96, 164, 236), np.uint8)
    for number, frame in enumerate(sky):
        cv2.circle(frame, (20 + 9 * number, 48), 12, (222, 32, 38), -1)
    assert not camera.steps(sky).any()
    assert camera.jerk(sky) is None
    assert stabilisation.stabilise(sky, 12) is sky


def test_the_brands_colours_tint_and_keep_the_lightness() -> None:
    brand = brands.parse("b", {**KIT, "grade": {"strength": 1.0}}, base=Path(), where="b")
    grey = np.repeat(np.linspace(0, 255, 256)[None, :, None], 3, 2).repeat(8, 0).astype(np.uint8)
    done = colour.for_brand(brand)(grey).astype(float)
    shadow, light = done[4, 64], done[4, 192]
    assert shadow[2] - shadow[0] > 8, "towards the dark blue"
    assert light[0] - light[2] > 8, "towards the amber"
    luma = done @ np.array([0.2126, 0.7152, 0.0722])
    assert np.abs(luma - grey[..., 0]).max() < 3
    none = brands.parse("b", {**KIT, "grade": {"strength": 0.0}}, base=Path(), where="b")
    assert np.array_equal(colour.for_brand(none)(grey), grey)


def test_a_cube_file_is_applied_and_a_broken_one_is_named(tmp_path: Path) -> None:
    rows = [f"{1 - r} {g} {b}" for b in (0, 1) for g in (0, 1) for r in (0, 1)]
    (tmp_path / "a.cube").write_text("TITLE x\nLUT_3D_SIZE 2\n" + "\n".join(rows) + "\n")
    kit = {**KIT, "grade": {"lut": "a.cube"}}
    brand = brands.parse("b", kit, base=tmp_path, where="b")
    frame = np.array([[[10, 20, 30], [255, 0, 128]]], np.uint8)
    assert np.array_equal(colour.for_brand(brand)(frame), [[[245, 20, 30], [0, 0, 128]]])
    for text in (
        "LUT_3D_SIZE 2\n0 0 0\n",
        "LUT_3D_SIZE x\n",
        "LUT_3D_SIZE 2\nnope\n",
        "LUT_3D_SIZE 1\n0 0 0",
    ):
        (tmp_path / "a.cube").write_text(text)
        with pytest.raises(ConfigurationError, match=r"a\.cube"):
            colour.for_brand(brand)


def test_steps_are_named_ordered_and_refused() -> None:
    assert enhance.parse("") == ()
    assert enhance.parse(" colour, denoise ,upscale2") == ("denoise", "upscale2", "colour")
    for wrong in ("denoise,magic", "upscale2,upscale4"):
        with pytest.raises(enhance.UnknownEnhancement):
            enhance.parse(wrong)


def test_what_is_asked_for_is_done_and_recorded() -> None:
    brand = brands.load("byline")
    shots = [_scene(4)]
    untouched = enhance.apply(shots, (), fps=8, brand=brand)
    assert untouched.shots[0] is shots[0]
    assert untouched.prepare is None
    assert untouched.steps == ()
    looks: list[int] = []
    done = enhance.apply(
        shots,
        enhance.parse("denoise,stabilise,upscale2,sharpen,colour,double"),
        fps=8,
        brand=brand,
        check_cancelled=lambda: looks.append(1),
    )
    assert [step["step"] for step in done.steps] == list(
        enhance.parse("denoise,stabilise,upscale2,sharpen,colour,double")
    )
    assert all(step["version"] for step in done.steps)
    assert looks
    assert done.prepare is not None
    assert done.prepare(done.shots[0][0]).shape == (192, 320, 3)
