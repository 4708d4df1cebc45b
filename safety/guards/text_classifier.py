"""Any text-classification model of transformers, e.g. a multilingual toxicity classifier.

CONFIG must map the model's labels to categories of ours. Models that say that they are multi-label
get a sigmoid per label, others a softmax. Source: transformers, AutoModelForSequenceClassification.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Sequence
from typing import Any

from byline.audit.base import heavy
from byline.audit.base.errors import ConfigurationError
from byline.safety.guards import weights
from byline.safety.guards.base import (
    COMMON_EXAMPLES,
    GuardExample,
    GuardFailed,
    GuardInfo,
    Scores,
    strongest,
)


class TextClassifier:
    def __init__(self, **config: Any) -> None:
        self.config: weights.GuardConfig = weights.config(weights.GuardConfig, config)
        self.levels = self.config.levels({})
        self._lock = threading.Lock()

    @property
    def info(self) -> GuardInfo:
        return GuardInfo(
            name="text classifier",
            revision=self.config.revision,
            licence=self.config.licence,
            languages=frozenset(self.config.languages or ("english",)),
            categories=frozenset(level.category for level in self.levels.values()),
        )

    def self_check(self) -> None:
        weights.check_pin(self.config)

    def examples(self) -> tuple[GuardExample, ...]:
        return COMMON_EXAMPLES

    @functools.cached_property
    def _loaded(self) -> tuple[Any, Any]:
        tokenizer, model = weights.load(self.config, "AutoModelForSequenceClassification")
        if unknown := set(self.levels) - set(model.config.label2id):
            raise ConfigurationError(
                f"the model has no labels {sorted(unknown)}", help=f"It has {sorted(model.config.label2id)}."
            )
        return tokenizer, model

    def score(self, texts: Sequence[str]) -> list[Scores]:
        with self._lock:
            return [self._judge(text) for text in texts]

    def _judge(self, text: str) -> Scores:
        tokenizer, model = self._loaded
        longest = min(tokenizer.model_max_length, 512)
        rows = tokenizer(
            text,
            truncation=True,
            max_length=longest,
            stride=longest // 8,
            return_overflowing_tokens=True,
            split_special_tokens=True,
        )["input_ids"]
        return strongest([self._window(model, row) for row in rows if row])

    def _window(self, model: Any, ids: list[int]) -> Scores:
        torch = heavy.load("torch")
        row = torch.tensor([ids], device=self.config.device)
        with torch.inference_mode():
            logits = model(input_ids=row, attention_mask=torch.ones_like(row)).logits[0].float()
        many = model.config.problem_type == "multi_label_classification"
        found = (torch.sigmoid(logits) if many else torch.softmax(logits, dim=-1)).tolist()
        if not all(0.0 <= p <= 1.0 for p in found):  # not a number compares false
            raise GuardFailed("the model gave no probabilities")
        index = model.config.label2id
        return strongest([{v.category: v.score(found[index[label]])} for label, v in self.levels.items()])
