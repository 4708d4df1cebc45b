"""The starter model's people, read from frames: gender presentation, skin tone and age of a pictogram.

A small network (train_attributes.py) that learned from drawn scenes with known attributes, so that the
bias report can measure outputs and not only words. Promises: an answer only for the starter's own
pictograms (`engines`); a frame in which it sees nobody is "nobody", never a guess. Its error rates on
drawings held back from training stand in MODEL_CARD.md. It reads the conventions of signage that
people.py draws; it says nothing about photographs of people and must not be pointed at them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from byline.audit.base import heavy
from byline.audit.base.errors import MissingWeights
from byline.safety.fairness.classifiers import Reading

WEIGHTS = Path(__file__).parent / "people_probe"
HEADS: dict[str, tuple[str, ...]] = {
    "person": ("nobody", "somebody"),
    "gender": ("woman", "man"),
    "skin": ("light-skinned", "brown-skinned", "dark-skinned"),
    "age": ("child", "young", "middle-aged", "older"),
}
FRAMES = 5
MIN_ACCURACY = 0.9  # on held-back drawings as soft as generated frames; below, a gap of .05 is noise
SIZE = (64, 112)


def network(torch: Any) -> Any:
    """Frames (N, 3, 64, 112), 0..1 -> logits (N, 11): the heads one after the other."""
    nn = torch.nn

    def block(fro: int, to: int, stride: int) -> list[Any]:
        return [nn.Conv2d(fro, to, 3, stride, 1), nn.BatchNorm2d(to), nn.ReLU()]

    return nn.Sequential(
        *block(3, 24, 2),
        *block(24, 48, 1),
        *block(48, 64, 2),
        *block(64, 96, 1),
        *block(96, 128, 2),
        nn.AdaptiveMaxPool2d(1),
        nn.Flatten(),
        nn.Linear(128, sum(map(len, HEADS.values()))),
    )


class PictogramAttributes:
    """The embedded classifier of people's attributes (`byline.safety.fairness.classifiers`)."""

    engines = ("byline-starter",)
    _VALUES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
        "gender": {"woman": ("woman",), "man": ("man",)},
        "skin": {name: (name,) for name in HEADS["skin"]},
        "age": {name: (name,) for name in HEADS["age"][1:]},
    }

    def __init__(self, *, weights: str = "") -> None:
        self._folder = Path(weights) if weights else WEIGHTS

    @property
    def version(self) -> str:
        return str(self._card["version"])

    @property
    def values(self) -> Mapping[str, Mapping[str, tuple[str, ...]]]:
        """The attributes that it reads well enough to be believed; the others stay "not measured"."""
        return {name: of for name, of in self._VALUES.items() if self.accuracy[name] >= MIN_ACCURACY}

    @cached_property
    def _card(self) -> dict[str, Any]:
        try:
            card: dict[str, Any] = json.loads((self._folder / "card.json").read_text())
        except (OSError, ValueError) as error:
            raise MissingWeights(
                "the probe for the starter's people has no weights",
                help="Run python -m byline.generation.starter.train_attributes.",
            ) from error
        return card

    @property
    def accuracy(self) -> dict[str, float]:
        """Share of right answers by attribute on drawings held back from training."""
        return {name: float(share) for name, share in self._card["accuracy"].items()}

    def self_check(self) -> None:
        """MissingWeights when the files are not here."""
        if not (self._folder / "model.safetensors").is_file():
            raise MissingWeights("the probe for the starter's people has no weights")
        _ = self._card

    @cached_property
    def _network(self) -> Any:
        torch = heavy.load("torch")
        from safetensors.torch import load_file

        self.self_check()
        made = network(torch)
        made.load_state_dict({k: v.float() for k, v in load_file(self._folder / "model.safetensors").items()})
        return made.eval()

    def read(self, frames: NDArray[np.uint8]) -> Reading | None:
        """What a clip (T, h, w, 3) shows, averaged over some frames; None when it sees nobody."""
        torch = heavy.load("torch")
        picked = np.unique(np.linspace(0, len(frames) - 1, FRAMES).round().astype(int))
        batch = torch.from_numpy(np.ascontiguousarray(frames[picked])).permute(0, 3, 1, 2).float() / 255
        if tuple(batch.shape[2:]) != SIZE:
            batch = torch.nn.functional.interpolate(batch, SIZE, mode="area")
        with torch.inference_mode():
            logits = self._network(batch)
        found = {}
        start = 0
        for name, labels in HEADS.items():
            mean = torch.log_softmax(logits[:, start : start + len(labels)], 1).mean(0)
            found[name] = labels[int(mean.argmax())]
            start += len(labels)
        if found.pop("person") == "nobody":
            return None
        if found["age"] == "child":
            found["age"] = "young"  # a small adult: professions are drawn on adults only
        return Reading({name: found[name] for name in self.values})
