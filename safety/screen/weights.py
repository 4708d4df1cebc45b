"""The weights of a screener: a pinned directory, as for guards, with the processor of its medium.

CONFIG is that of byline.safety.guards.weights.GuardConfig: path, sha256 (its directory digest), revision,
labels, review_at, block_at.
"""

from __future__ import annotations

from typing import Any

from byline.audit.base import heavy
from byline.safety.guards.weights import LOCAL, GuardConfig, check_pin, network, readable


def load(given: GuardConfig, processor: str, name: str) -> tuple[Any, Any]:
    """(processor, network in evaluation mode), both by their transformers class names.

    ConfigurationError or MissingWeights; nothing is fetched, and no code or pickle of the directory runs.
    """
    check_pin(given)
    with readable(given):
        prepared = getattr(heavy.load("transformers"), processor).from_pretrained(given.path, **LOCAL)
        return prepared, network(given, name)
