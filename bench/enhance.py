"""Enhancement: what each step gains over the plain way of doing it, and what it costs a frame.

`make bench-enhance`. Clips of 12 frames, 320 x 192, made by moving over the photographs that scikit-image
ships; spoilt by known noise, shake or shrinking, so that the truth is known. Baselines run on the same
clips: OpenCV's non-local means, a bilateral filter, cubic enlarging, a blend of the neighbours.
"""

import argparse
import itertools
import os
import time
from collections.abc import Callable

import cv2
import django
import numpy as np

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "byline.platform.settings")
django.setup()

from bench.results_file import Results  # noqa: E402
from byline.generation.enhance import noise, rate, sharpness, stabilisation, upscaling  # noqa: E402
from byline.generation.quality import camera  # noqa: E402

SIZE, FRAMES, SIGMA = (320, 192), 12, 10.0
NAMES = ("astronaut", "coffee", "chelsea", "rocket")


def clips(shake: float = 0.0) -> list[np.ndarray]:
    """A slow pan over each photograph, with `shake` pixels of a trembling hand."""
    from skimage import data

    made = []
    for number, name in enumerate(NAMES):
        picture = cv2.resize(getattr(data, name)()[..., :3], (640, 400), interpolation=cv2.INTER_AREA)
        rng = np.random.default_rng(number)
        frames = []
        for at in range(FRAMES):
            x, y = rng.normal(0, shake, 2)
            move = 3.0 * at
            matrix = np.array([[1, 0, -80.0 - move + x], [0, 1, -90.0 + y]])
            frames.append(cv2.warpAffine(picture, matrix, SIZE, flags=cv2.INTER_CUBIC))
        made.append(np.stack(frames))
    return made


def psnr(one: np.ndarray, other: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / np.mean((one.astype(float) - other) ** 2)))


def timed(change: Callable[[], np.ndarray], frames: int) -> tuple[np.ndarray, float]:
    started = time.perf_counter()
    made = change()
    return made, (time.perf_counter() - started) * 1000 / frames


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    results = Results("enhance", quick=False)
    _denoise(results)
    _upscale(results)
    _sharpen(results)
    _stabilise(results)
    _double(results)
    results.show()


def _row(
    results: Results, name: str, ours: list[float], theirs: list[float], cost: list[float], **rest: str
) -> None:
    results.add(
        name,
        float(np.mean(ours)),
        baseline=float(np.mean(theirs)),
        n=len(ours),
        low=min(ours),
        high=max(ours),
        unit=rest["unit"],
        better=rest["better"],
        note=f"{rest['note']}; {np.median(cost):.0f} ms a frame",
    )


def _denoise(results: Results) -> None:
    ours, theirs, cost = [], [], []
    rng = np.random.default_rng(9)
    for clip in clips():
        noisy = np.clip(clip + rng.normal(0, SIGMA, clip.shape), 0, 255).round().astype(np.uint8)
        done, ms = timed(lambda noisy=noisy: noise.denoise(noisy), len(clip))  # type: ignore[misc]
        plain = np.stack([cv2.fastNlMeansDenoisingColored(f, None, SIGMA, SIGMA, 7, 21) for f in noisy])
        before = psnr(noisy, clip)
        ours.append(psnr(done, clip) - before)
        theirs.append(psnr(plain, clip) - before)
        cost.append(ms)
    _row(
        results,
        "denoise_psnr_gain",
        ours,
        theirs,
        cost,
        unit="dB",
        better="higher",
        note=f"noise of {SIGMA:g} levels; baseline: non-local means, frame by frame",
    )


def _upscale(results: Results) -> None:
    plugin = upscaling.ClassicUpscaler()
    for factor in (2, 4):
        ours, theirs, cost = [], [], []
        for clip in clips():
            large = clip[0]
            small = cv2.resize(large, (SIZE[0] // factor, SIZE[1] // factor), interpolation=cv2.INTER_AREA)
            done, ms = timed(lambda small=small, factor=factor: plugin.upscale(small, factor), 1)  # type: ignore[misc]
            ours.append(psnr(done, large))
            theirs.append(psnr(cv2.resize(small, SIZE, interpolation=cv2.INTER_CUBIC), large))
            cost.append(ms)
        _row(
            results,
            f"upscale{factor}_psnr",
            ours,
            theirs,
            cost,
            unit="dB",
            better="higher",
            note="against the original; baseline: cubic",
        )


def _sharpen(results: Results) -> None:
    ours, theirs, cost = [], [], []
    for clip in clips():
        soft = cv2.GaussianBlur(clip[0], (0, 0), 1.2)
        done, ms = timed(lambda soft=soft: sharpness.sharpen(soft), 1)  # type: ignore[misc]
        ours.append(psnr(done, clip[0]) - psnr(soft, clip[0]))
        blurred = cv2.GaussianBlur(soft, (0, 0), 1.2)
        plain = cv2.addWeighted(soft, 1 + sharpness.AMOUNT, blurred, -sharpness.AMOUNT, 0)
        theirs.append(psnr(plain, clip[0]) - psnr(soft, clip[0]))
        cost.append(ms)
    _row(
        results,
        "sharpen_psnr_gain",
        ours,
        theirs,
        cost,
        unit="dB",
        better="higher",
        note="towards the original of a blurred picture; baseline: the same mask without bounds",
    )


def _stabilise(results: Results) -> None:
    ours, theirs, cost = [], [], []
    for clip in clips(shake=2.0):
        done, ms = timed(lambda clip=clip: stabilisation.stabilise(clip, 12), len(clip))  # type: ignore[misc]
        ours.append(camera.jerk(done) or 0.0)
        theirs.append(camera.jerk(clip) or 0.0)
        cost.append(ms)
    _row(
        results,
        "stabilise_jerk",
        ours,
        theirs,
        cost,
        unit="% of width per frame^3",
        better="lower",
        note="2 pixels of shake; baseline: left as it is",
    )


def _double(results: Results) -> None:
    ours, theirs, cost = [], [], []
    for clip in clips():
        half = clip[::2]
        made, ms = timed(lambda half=half: np.stack(list(rate.double(half))), len(clip))  # type: ignore[misc]
        truth = clip[1:-1:2]
        ours.append(psnr(made[1:-1:2], truth))
        theirs.append(
            psnr(
                np.stack([cv2.addWeighted(a, 0.5, b, 0.5, 0) for a, b in itertools.pairwise(half)]),
                truth,
            )
        )
        cost.append(ms)
    _row(
        results,
        "double_psnr",
        ours,
        theirs,
        cost,
        unit="dB",
        better="higher",
        note="of the frames in between, a pan of 6 pixels a frame; baseline: a blend of the neighbours",
    )


if __name__ == "__main__":
    main()
