"""Violence or weapons by any image-classification model of transformers.

CONFIG maps the model's labels to categories of ours; multi-label models get a sigmoid per label, others
a softmax. Source: transformers, AutoModelForImageClassification.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Mapping
from typing import Any

import numpy as np

from byline.audit.base import heavy
from byline.audit.base.errors import ConfigurationError
from byline.safety.guards.base import GuardFailed, strongest
from byline.safety.guards.weights import GuardConfig, check_pin, config
from byline.safety.screen import weights
from byline.safety.screen.base import Frames, ScreenerExample

PLAIN = ScreenerExample(
    {"frames": [np.full((90, 160, 3), level, np.uint8) for level in (40, 128, 220)]},
    "plain grey pictures are not reviewed",
    lambda scores: max(scores.values(), default=0.0) < 0.5,
)


class ImageClassifier:
    def __init__(self, **values: Any) -> None:
        self.config: GuardConfig = config(GuardConfig, values)
        self.levels = self.config.levels({})
        self._lock = threading.Lock()

    def self_check(self) -> None:
        check_pin(self.config)

    def examples(self) -> tuple[ScreenerExample, ...]:
        return (PLAIN,)

    @functools.cached_property
    def _loaded(self) -> tuple[Any, Any]:
        processor, model = weights.load(self.config, "AutoImageProcessor", "AutoModelForImageClassification")
        if unknown := set(self.levels) - set(model.config.label2id):
            raise ConfigurationError(
                f"the model has no labels {sorted(unknown)}", help=f"It has {sorted(model.config.label2id)}."
            )
        return processor, model

    def scores(self, frames: Frames) -> Mapping[str, float]:
        """The highest score over the frames, by category."""
        torch = heavy.load("torch")
        with self._lock, torch.inference_mode():
            processor, model = self._loaded
            inputs = processor(images=list(frames), return_tensors="pt").to(self.config.device)
            logits = model(**inputs).logits.float()
        many = model.config.problem_type == "multi_label_classification"
        found = (torch.sigmoid(logits) if many else torch.softmax(logits, dim=-1)).tolist()
        if not all(0.0 <= p <= 1.0 for row in found for p in row):  # not a number compares false
            raise GuardFailed("the model gave no probabilities")
        index = model.config.label2id
        return strongest(
            [
                {level.category: level.score(row[index[label]])}
                for row in found
                for label, level in self.levels.items()
            ]
        )
