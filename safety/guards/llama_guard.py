"""Llama Guard 3 (1B, 8B) and 4 (12B): "safe" or "unsafe", and the MLCommons hazards S1 to S14.

The score is the probability of "unsafe" as the first word of the answer, which is how the model
cards say to make a classifier of it. Llama Guard 4 is multimodal: its text part is used, and its
template wants `content_parts: true`. Sources: model cards of Llama-Guard-3-8B and -4-12B.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from byline.safety.guards.base import Level, Scores
from byline.safety.guards.prefill import PrefillGuard
from byline.safety.guards.weights import GuardConfig

_FLOOR = 0.1


@dataclass(frozen=True)
class LlamaGuardConfig(GuardConfig):
    content_parts: bool = False
    begun: str = "\n\n"  # what the answer begins with, before its first word


class LlamaGuard(PrefillGuard):
    CONFIG = LlamaGuardConfig
    NAME = "Llama Guard"
    LABELS = {
        "S1": "violence",
        "S2": "weapons_illegal",
        "S3": "sexual",
        "S4": "minors",
        "S5": "harassment",
        "S6": "deception",
        "S7": "pii",
        "S8": "copyright_brand",
        "S9": "weapons_illegal",
        "S10": "hate",
        "S11": "self_harm",
        "S12": "sexual",
        "S13": "deception",
        "S14": "weapons_illegal",
    }
    LANGUAGES = ("english", "fr", "de", "it", "pt", "es", "devanagari", "thai")  # as the cards list them

    def content(self, text: str) -> Any:
        return [{"type": "text", "text": text}] if self.config.content_parts else text

    def judge(self, tokens: list[int]) -> Scores:
        begun = self.config.begun
        said = self.ask(tokens, begun, ("safe", "unsafe"), add_generation_prompt=True)
        severity = Level("", self.config.review_at, self.config.block_at).score(said["unsafe"])
        if severity < _FLOOR:
            return {}
        numbers = [label.removeprefix("S") for label in self.levels]
        names = self.ask(tokens, f"{begun}unsafe\nS", numbers, add_generation_prompt=True)
        likeliest = max(names.values())
        return {self.levels[f"S{n}"].category: severity for n, p in names.items() if p >= likeliest / 2}
