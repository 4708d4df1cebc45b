"""A reader of the starter's clips: which subject, colour, motion and setting does a clip show?

A small network, trained on renders alone (train_probe.py), never on generated clips: what is there it reads
from the middle frame, how it moves from five. It answers for bench/starter.py; what it says of drawn clips
after the autoencoder is the ceiling of what it can say of generated ones. It knows the vocabulary of the
training set and nothing else.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from byline.audit.base import heavy
from byline.audit.base.errors import MissingWeights
from byline.generation.starter import vocabulary as words
from byline.generation.starter.scene import Scene

FRAMES = 5
SIZE = (64, 112)
PLAIN = "person"  # somebody without a profession
HEADS: dict[str, tuple[str, ...]] = {
    "subject": (*words.OBJECTS, *words.SPRITES, *words.PROFESSIONS, PLAIN),
    "setting": tuple(words.SETTINGS),
    "time": ("", *words.TIMES),
    "colour": tuple(words.COLOURS),
    "motion": tuple(dict.fromkeys((*words.OBJECT_MOTIONS, *words.PERSON_MOTIONS))),
}
IGNORED = -100


def truth(scene: Scene) -> dict[str, str]:
    """What the heads should say of a drawn scene; a head that has no answer is left out."""
    subject = (scene.profession or PLAIN) if scene.is_person else scene.subject
    found = {"subject": subject, "setting": scene.setting, "time": scene.time, "motion": scene.motion}
    return found | ({"colour": scene.colour} if scene.colour else {})


def network() -> Any:
    """Clips (N, 5, 3, 64, 112), 0..1 -> logits (N, classes of all heads)."""
    torch = heavy.load("torch")
    nn, functional = torch.nn, torch.nn.functional

    def layer(fro: int, to: int, stride: int, size: int = 3) -> list[Any]:
        return [nn.Conv2d(fro, to, size, stride, size // 2), nn.BatchNorm2d(to), nn.ReLU()]

    class Probe(nn.Module):  # type: ignore[name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.look = nn.Sequential(
                *layer(3, 24, 2, 5), *layer(24, 48, 2), *layer(48, 96, 1), *layer(96, 128, 2)
            )
            self.move = nn.Sequential(
                *layer(3 * FRAMES, 32, 2, 5), *layer(32, 48, 2), *layer(48, 64, 2), *layer(64, 64, 2)
            )
            self.path = nn.Sequential(nn.Flatten(), nn.Linear(64 * 4 * 7, 128), nn.ReLU())
            self.drop = nn.Dropout(0.15)
            self.heads = nn.Linear(128 + 128 * 6 + 128, sum(map(len, HEADS.values())))

        def forward(self, clips: Any) -> Any:
            middle = self.look(clips[:, FRAMES // 2])
            what = functional.adaptive_max_pool2d(middle, 1).flatten(1)
            where = functional.adaptive_avg_pool2d(middle, (2, 3)).flatten(1)
            seen = torch.cat([what, where, self.path(self.move(clips.flatten(1, 2)))], 1)
            return self.heads(self.drop(seen))

    return Probe()


def sampled(frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The five frames of a clip (T, h, w, 3) that are read, in the probe's size."""
    torch = heavy.load("torch")
    picked = frames[np.linspace(0, len(frames) - 1, FRAMES).round().astype(int)]
    if picked.shape[1:3] == SIZE:
        return picked
    small = torch.from_numpy(np.ascontiguousarray(picked)).permute(0, 3, 1, 2).float()
    small = torch.nn.functional.interpolate(small, SIZE, mode="area")
    return small.round().byte().permute(0, 2, 3, 1).numpy()


@cache
def load(file: Path) -> Any:
    """The trained probe. Raises MissingWeights."""
    from safetensors.torch import load_file

    if not file.is_file():
        raise MissingWeights(
            f"the starter's probe has no weights at {file}",
            help="Run python -m byline.generation.starter.train_probe.",
        )
    model = network()
    model.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in load_file(file).items()})
    return model.eval().requires_grad_(False)


def answers(logits: Any) -> list[dict[str, str]]:
    """The best value of each head, one mapping per row."""
    out: list[dict[str, str]] = [{} for _ in range(len(logits))]
    start = 0
    for name, values in HEADS.items():
        for row, k in zip(out, logits[:, start : start + len(values)].argmax(1).tolist(), strict=True):
            row[name] = values[k]
        start += len(values)
    return out


def read(clips: list[NDArray[np.uint8]], file: Path) -> list[dict[str, str]]:
    """What each clip (T, h, w, 3) shows."""
    torch = heavy.load("torch")
    batch = torch.from_numpy(np.stack([sampled(clip) for clip in clips])).permute(0, 1, 4, 2, 3).float() / 255
    with torch.inference_mode():
        return answers(torch.cat([load(file)(part) for part in batch.split(32)]))
