"""The weights of a screener: a pinned directory, as for guards, with the processor of its medium.

CONFIG is that of byline.safety.guards.weights.GuardConfig: path, sha256 (its directory digest), revision,
labels, review_at, block_at.
"""

from __future__ import annotations

from typing import Any

from byline.audit.base import heavy
from byline.audit.base.errors import ConfigurationError
from byline.safety.guards.weights import GuardConfig, check_pin


def load(given: GuardConfig, processor: str, network: str) -> tuple[Any, Any]:
    """(processor, network in evaluation mode), both by their transformers class names.

    ConfigurationError or MissingWeights; nothing is fetched, and no code or pickle of the directory runs.
    """
    check_pin(given)
    transformers = heavy.load("transformers")
    local = {"local_files_only": True, "trust_remote_code": False}
    try:
        prepared = getattr(transformers, processor).from_pretrained(given.path, **local)
        loaded, report = getattr(transformers, network).from_pretrained(
            given.path, use_safetensors=True, output_loading_info=True, **local
        )
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise ConfigurationError(
            f"transformers cannot load the model in {given.path} ({type(error).__name__})",
            help="Is it the complete directory of the model, and the adapter that fits it?",
        ) from error
    if report["missing_keys"]:
        raise ConfigurationError(
            f"the checkpoint in {given.path} lacks weights; they would be random numbers"
        )
    return prepared, loaded.to(given.device).eval()
