"""Controls on the starter: do they do what they say, measured in the frames.

`make bench-controls`. Six prompts of subjects and settings that the starter knows, one clip each of its own
length; camera, brush, motion and effects work on the same clips. The camera is measured on tracked
corners (controls_motion.py), which shares nothing with the code that moves pictures. Baselines: the
same clips without the control, other prompts for takes. Read the camera figures with the baseline beside
them: what moves in a clip moves the measured camera, too. `BENCHFLAGS=--quick`: three prompts.
"""

import itertools
import os
import sys
from collections.abc import Sequence

import cv2
import django
import numpy as np

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "byline.platform.settings")
django.setup()

from bench import controls_motion as motion  # noqa: E402
from bench.results_file import Results  # noqa: E402
from byline.generation import engines  # noqa: E402
from byline.generation.controls import brush, camera, likeness, retiming, takes  # noqa: E402
from byline.generation.engines import VideoTask  # noqa: E402

PROMPTS = (
    "a red ball moves right over the sea",
    "a yellow car moves left in the city",
    "a white bird rises in the desert",
    "a blue box bounces in a green meadow",
    "a green balloon moves right in the snow",
    "a purple star spins in the night sky",
)
SEED = 11
AMOUNTS = (0.0, 0.25, 0.5, 0.75, 1.0)
TAKES = 4
# What a model that was trained on camera moves would follow; measured to know whether it does.
WORDS = {
    "pan_right": "the camera pans right",
    "pan_left": "the camera pans left",
    "zoom_in": "the camera zooms in",
    "zoom_out": "the camera zooms out",
}


def clips(prompts: Sequence[str]) -> list[np.ndarray]:
    engine = engines.load()
    return [engine.generate(VideoTask(prompt, seed=SEED)) for prompt in prompts]


def motion_amount(results: Results, shots: list[np.ndarray]) -> None:
    flows = np.array([[motion.mean_flow(retiming.retimed(s, a)) for a in AMOUNTS] for s in shots])
    rising = [bool((np.diff(row) > 0).all()) for row in flows]
    note = ", ".join(f"{amount:g}: {flow:.3f}" for amount, flow in zip(AMOUNTS, flows.mean(0), strict=True))
    results.add(
        "motion.monotone", float(np.mean(rising)), unit=f"share of clips, {len(AMOUNTS)} settings",
        better="higher", n=len(shots), note=f"mean flow in % of width per frame: {note}",
    )  # fmt: skip


def camera_moves(results: Results, shots: list[np.ndarray]) -> None:
    without = [motion.ego(shot) for shot in shots]
    plain = float(np.mean([seen.move() == "static" for seen in without]))
    for metric, still in (("camera.recognised_on_stills", True), ("camera.recognised_on_clips", False)):
        wrong = []
        for name, (number, shot) in itertools.product(camera.MOVES, enumerate(shots, start=1)):
            frames = np.repeat(shot[:1], len(shot), 0) if still else shot
            poses = [camera.in_move(name, i / (len(shot) - 1)) for i in range(len(shot))]
            ego = motion.ego(camera.filmed(camera.enlarged(frames), poses))
            seen = (ego if still else ego.beyond(without[number - 1])).move()
            if seen != name:
                wrong.append(f"{name} as {seen} (clip {number})")
        total = len(camera.MOVES) * len(shots)
        told = "first frames, repeated"
        if not still:
            told = "what the clip without the move has is taken off; baseline: such clips seen as static"
        results.add(
            metric, 1 - len(wrong) / total, unit="share of moves", better="higher", n=total,
            baseline=None if still else plain, note=f"{told}. Wrong: {'; '.join(wrong) or 'none'}",
        )  # fmt: skip


def camera_words(results: Results, prompts: Sequence[str]) -> None:
    engine = engines.load()
    right, moved = 0, []
    for name, words in WORDS.items():
        for prompt in prompts:
            seen = motion.ego(engine.generate(VideoTask(f"{prompt}, {words}", seed=SEED))).move()
            right += seen == name
            moved.append(seen)
    results.add(
        "camera.by_words_alone", right / len(moved), unit="share", better="higher", n=len(moved),
        note="the model is asked in words and nothing is warped; the warp is used for requests",
    )  # fmt: skip


def motion_brush(results: Results, shots: list[np.ndarray]) -> None:
    ratios, turned, before = [], [], []
    for shot, (word, angle) in itertools.product(shots, brush.DIRECTIONS.items()):
        large = camera.enlarged(shot)
        height, width = large.shape[1:3]
        mask = np.zeros((height, width), np.uint8)
        cv2.circle(mask, (width // 2, height // 2), height // 4, 255, -1)
        still = np.repeat(large[:1], len(large), 0)
        done = brush.moved(still, mask, brush.check({"direction": word, "amount": 0.5}))
        inside, outside = motion.regional_flow(done, mask)
        ratios.append(float(np.linalg.norm(inside)) / max(outside, 1e-3))
        way = np.degrees(np.arctan2(inside[1], inside[0]))
        turned.append(float(abs((way - angle + 180) % 360 - 180)))
        before.append(float(np.linalg.norm(motion.regional_flow(still, mask)[0])))
    results.add(
        "brush.inside_over_outside", float(np.median(ratios)), unit="ratio of flows, median",
        better="higher", n=len(ratios), low=min(ratios), high=max(ratios),
        note=f"first frames as stills; flow inside without the brush {np.mean(before):.3f} % of the width",
    )  # fmt: skip
    results.add(
        "brush.direction_error", float(np.median(turned)), unit="degrees, median", n=len(turned),
        low=min(turned), high=max(turned), note="largest where little is seen under the mask",
    )  # fmt: skip


def diverse_takes(results: Results, shots: list[np.ndarray], prompts: Sequence[str]) -> None:
    engine = engines.load()
    pairs: list[float] = []
    for prompt, first in zip(prompts, shots, strict=True):
        looks = [likeness.look([first])]
        for number in range(1, TAKES):
            seed = SEED + number * takes.SEED_STEP
            looks.append(likeness.look([engine.generate(VideoTask(prompt, seed=seed))]))
        pairs += [likeness.alike(a, b) for a, b in itertools.combinations(looks, 2)]
    others = [
        likeness.alike(likeness.look([a]), likeness.look([b])) for a, b in itertools.combinations(shots, 2)
    ]
    again = engine.generate(VideoTask(prompts[0], seed=SEED))
    results.add(
        "takes.similarity", float(np.mean(pairs)), unit="SSIM of small frames", n=len(pairs),
        baseline=float(np.mean(others)), low=min(pairs), high=max(pairs),
        note=f"baseline: clips of different prompts. Alike from {likeness.ALIKE}: "
        f"{np.mean([p >= likeness.ALIKE for p in pairs]):.0%} of pairs",
    )  # fmt: skip
    results.add(
        "takes.same_seed_same_frames", float(np.array_equal(again, shots[0])), unit="1 is yes",
        better="higher", n=1,
    )  # fmt: skip


def main() -> int:
    quick = "--quick" in sys.argv
    results = Results("controls", quick=quick)
    prompts = PROMPTS[:3] if quick else PROMPTS
    shots = clips(prompts)
    motion_amount(results, shots)
    camera_moves(results, shots)
    motion_brush(results, shots)
    diverse_takes(results, shots, prompts)
    camera_words(results, prompts)
    results.show()
    return 0


if __name__ == "__main__":
    sys.exit(main())
