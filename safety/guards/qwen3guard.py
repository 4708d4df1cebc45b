"""Qwen3Guard-Gen (0.6B, 4B, 8B): 119 languages, three levels, nine categories.

The model answers "Safety: Safe | Controversial | Unsafe", then "Categories: ...". "Controversial"
alone is reviewed and never blocks; "Unsafe" does, once it is as likely as `block_at`. Source:
https://github.com/QwenLM/Qwen3Guard (answer format, categories).
"""

from __future__ import annotations

from byline.safety.guards.base import Level, Scores
from byline.safety.guards.prefill import PrefillGuard

_FLOOR = 0.1  # below it no policy of ours looks, and the second question is not asked
_MOST_FOR_CONTROVERSIAL = 0.89


class Qwen3Guard(PrefillGuard):
    NAME = "Qwen3Guard-Gen"
    LABELS = {
        "Violent": "violence",
        "Non-violent Illegal Acts": "weapons_illegal",
        "Sexual Content or Sexual Acts": "sexual",
        "PII": "pii",
        "Suicide & Self-Harm": "self_harm",
        "Unethical Acts": "hate",
        "Politically Sensitive Topics": "deception",
        "Copyright Violation": "copyright_brand",
        "Jailbreak": "deception",
    }
    LANGUAGES = (
        "english", "es", "fr", "de", "it", "pt", "nl", "pl", "tr", "vi", "id", "cjk", "hiragana", "katakana",
        "hangul", "cyrillic", "arabic", "hebrew", "devanagari", "bengali", "thai", "greek",
    )  # fmt: skip

    def judge(self, tokens: list[int]) -> Scores:
        said = self.ask(tokens, "Safety:", (" Safe", " Controversial", " Unsafe"))
        level = Level("", self.config.review_at, self.config.block_at)
        doubtful = min(level.score(said[" Controversial"] + said[" Unsafe"]), _MOST_FOR_CONTROVERSIAL)
        severity = max(doubtful, level.score(said[" Unsafe"]))
        if severity < _FLOOR:
            return {}
        word = "Unsafe" if said[" Unsafe"] >= said[" Controversial"] else "Controversial"
        names = self.ask(tokens, f"Safety: {word}\nCategories:", [f" {label}" for label in self.levels])
        likeliest = max(names.values())
        return {
            self.levels[label.strip()].category: severity for label, p in names.items() if p >= likeliest / 2
        }
