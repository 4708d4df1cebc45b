"""Does a clip follow its prompt? 24 fixed object prompts and 8 people, measured and drawn on a sheet.

`python -m byline.generation.starter.probe --out DIR [--model DIR]`. Three plain measurements, each
also taken on the drawn truth so that its own mistakes show: the setting whose empty picture is
nearest; the vocabulary colour that covers the most pixels beyond what the setting itself has; and
the way the pixels of the asked colour travel or grow. Left out: shapes and people's attributes,
which a person judges from the sheet.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import numpy as np

from byline.generation.engines.base import VideoEngine, VideoTask
from byline.generation.engines.wan import WanEngine
from byline.generation.starter import backgrounds, scenes, vocabulary

MOTIONS = ("right", "left", "rise", "fall", "grow", "shrink", "still")
SUBJECTS = ("ball", "star", "car", "bird", "box", "heart", "balloon", "boat")
COLOURS = ("red", "green", "blue", "yellow", "purple", "orange", "white", "pink")
PEOPLE = (
    "an older dark-skinned woman doctor waves in the city",
    "a light-skinned man chef stands still in a room",
    "a firefighter walks to the right in the forest",
    "a woman in a red dress dances in a green meadow",
    "a boy in a blue shirt jumps in the snow",
    "a brown-skinned police officer walks to the left at night",
    "a construction worker waves at sunset",
    "an elderly man in a green jacket talks by the sea",
)


@dataclass(frozen=True)
class Seen:
    """What the measurements say of one clip."""

    setting: str
    colour: str
    motion: str


def asked() -> list[tuple[str, scenes.Scene]]:
    """24 prompts with every setting, colour and measured motion, and the scene each one means."""
    out = []
    settings = tuple(vocabulary.SETTINGS)
    for k in range(24):
        setting, colour, motion = settings[k % 10], COLOURS[(k * 3 + k // 10) % 8], MOTIONS[(k + k // 7) % 7]
        if (setting, colour) in scenes.UNSEEN or (setting, colour) == ("sky", "white"):
            colour = "red"
        subject = SUBJECTS[(k * 5) % 8]
        said = vocabulary.OBJECT_MOTIONS[motion][0]
        prompt = f"a {colour} {subject} {said} {vocabulary.SETTINGS[setting][0]}"
        out.append(
            (
                prompt.replace("a orange", "an orange"),
                scenes.Scene(setting, motion, 1000 + k, subject, colour),
            )
        )
    return out


@cache
def _empty(setting: str, seed: int) -> np.ndarray:
    size = (scenes.WIDTH * scenes.SCALE, scenes.HEIGHT * scenes.SCALE)
    return np.asarray(backgrounds.paint(setting, size, seed).reduce(scenes.SCALE))


def _coarse(picture: np.ndarray) -> np.ndarray:
    """Mean colours of an 8 by 14 grid, in the units of the picture."""
    return picture.reshape(8, scenes.HEIGHT // 8, 14, scenes.WIDTH // 14, 3).mean((1, 3))


def _colours(frames: np.ndarray, setting: str) -> dict[str, np.ndarray]:
    """For each vocabulary colour, the pixels (T, h, w) that are not the setting's and nearest to it."""
    values = frames.astype(np.int16)
    away = (
        np.min([np.abs(values - _empty(setting, seed)).max(-1) for seed in range(scenes.PLACES)], axis=0) > 45
    )
    palette = np.array(list(vocabulary.COLOURS.values()))
    distance = np.abs(values[..., None, :] - palette).sum(-1)
    nearest, close = distance.argmin(-1), distance.min(-1) < 160
    return {name: away & close & (nearest == k) for k, name in enumerate(vocabulary.COLOURS)}


def observe(frames: np.ndarray, colour: str) -> Seen:
    """Measure a clip (T, 64, 112, 3); its motion is that of the pixels of `colour`."""
    middle = _coarse(np.median(frames, axis=0))
    setting = min(
        vocabulary.SETTINGS,
        key=lambda s: min(
            np.median(np.abs(middle - _coarse(_empty(s, seed))).mean(-1)) for seed in range(scenes.PLACES)
        ),
    )
    found = _colours(frames, setting)
    dominant = max(found, key=lambda name: int(found[name].sum()))
    return Seen(setting, dominant, _motion(found[colour].astype(np.float64)))


def _motion(weight: np.ndarray) -> str:
    area = weight.sum((1, 2)) + 1e-6
    columns, rows = np.arange(weight.shape[2]), np.arange(weight.shape[1])
    x = (weight.sum(1) * columns).sum(1) / area
    y = (weight.sum(2) * rows).sum(1) / area
    third = len(weight) // 3
    dx, dy = (float(v[-third:].mean() - v[:third].mean()) for v in (x, y))
    growth = float(np.log2(area[-third:].mean() / area[:third].mean()))
    strengths = {
        "right": dx / 12,
        "left": -dx / 12,
        "rise": -dy / 6,
        "fall": dy / 6,
        "grow": growth / 0.6,
        "shrink": -growth / 0.6,
    }
    best = max(strengths, key=lambda m: strengths[m])
    return best if strengths[best] > 1 else "still"


def run(engine: VideoEngine, out: Path, seed: int = 1) -> dict[str, object]:
    """Generate everything, write probe.json, objects.png and people.png into `out`, return the table."""
    out.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, object]] = []
    clips = []
    hits = {"setting": 0, "colour": 0, "motion": 0, "all": 0}
    truth = dict.fromkeys(hits, 0)
    seconds = []
    for prompt, scene in asked():
        began = time.monotonic()
        frames = engine.generate(VideoTask(prompt, seed=seed))
        seconds.append(time.monotonic() - began)
        clips.append(frames)
        seen = observe(frames, scene.colour)
        for name, tally, found in (
            ("model", hits, seen),
            ("drawn", truth, observe(scenes.render(scene)[0], scene.colour)),
        ):
            right = [
                found.setting == scene.setting,
                found.colour == scene.colour,
                found.motion == scene.motion,
            ]
            for key, ok in zip(hits, [*right, all(right)], strict=True):
                tally[key] += ok
            if name == "model":
                rows.append({"prompt": prompt, "right": right, "seen": asdict(found)})
    scenes.sheet(clips, str(out / "objects.png"))
    scenes.sheet([engine.generate(VideoTask(p, seed=seed)) for p in PEOPLE], str(out / "people.png"))
    table = {
        "n": len(rows),
        "model": hits,
        "drawn": truth,
        "seconds_per_clip": round(float(np.median(seconds)), 2),
        "rows": rows,
    }
    (out / "probe.json").write_text(json.dumps(table, indent=1))
    return table


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="byline.generation.starter.probe", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument(
        "--model", default="starter", help="a folder in diffusers' layout; default: the shipped one"
    )
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args(argv)
    run(WanEngine(MODEL=given.model), given.out, given.seed)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
