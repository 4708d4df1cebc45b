"""What the moderation is compared with: a word list, and a linear classifier from PyPI."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path


def word_list(data: Path) -> Callable[[str], bool]:
    """The English LDNOOBW list, whole words, no normalisation."""
    terms = (data / "ldnoobw" / "en").read_text("utf-8").split("\n")
    pattern = re.compile(
        r"(?<!\w)(?:" + "|".join(re.escape(t.strip()) for t in terms if t.strip()) + r")(?!\w)", re.IGNORECASE
    )
    return lambda text: pattern.search(text) is not None


def profanity_check() -> Callable[[str], float] | None:
    """Probability by alt-profanity-check, or None where it is not installed (it is no dependency)."""
    try:
        from profanity_check import predict_prob
    except ImportError:
        return None
    return lambda text: float(predict_prob([text])[0])
