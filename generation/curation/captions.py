"""Captions of a clip: of one picture, of the movement, and one that a language model makes of both.

BYLINE["CAPTIONERS"] names up to three plug-ins: "image" sees the middle frame (BLIP and its like), "video"
a few frames in order (GIT and its like), "merge" reads both texts. Every caption stands in the manifest
with the model that wrote it and the digest of its weights. Nothing is configured at first: then each of the
three is "not available", and a clip has the operator's own words alone. No caption is made up from file
names or measurements. Weights are folders or pinned revisions that lie on this machine; nothing is fetched.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from byline.audit.base import conf, heavy
from byline.audit.base.errors import BylineError, ConfigurationError, MissingWeights
from byline.generation import plugins
from byline.generation.script import language_model

Frame = NDArray[np.uint8]
ROLES = ("image", "video", "merge")
OPERATOR = "operator"
NOT_AVAILABLE = "not available"
MAX_CAPTION = 600
_MAX_TOKENS = 60


@dataclass(frozen=True)
class Caption:
    """`kind` is "operator" or a role; where `text` is "", `state` says why."""

    kind: str
    text: str
    state: str
    model: str = ""
    sha256: str = ""

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


class Captioner(Protocol):
    """Says in one sentence what it sees. `sha256` is that of the weights, "" where unknown."""

    model: str

    @property
    def sha256(self) -> str: ...

    def describe(self, frames: Sequence[Frame]) -> str: ...

    def self_check(self) -> None: ...


class Merger(Protocol):
    """Makes one caption of the two that were written before."""

    model: str

    @property
    def sha256(self) -> str: ...

    def merge(self, image: str, video: str) -> str: ...

    def self_check(self) -> None: ...


class TransformersCaptioner:
    """A captioning model of transformers, e.g. BLIP with `frames` 1 or GIT with as many as it was trained on.

    `model`: folder in transformers' layout, or a hub id with `revision` (40 hex digits) in the local cache.
    """

    def __init__(self, *, model: str, revision: str = "", frames: int = 1, device: str = "auto") -> None:
        if not 1 <= frames <= 32:
            raise ConfigurationError("a captioner sees 1 to 32 frames")
        self._place, self._local = _place(model, revision, "captioner")
        self._revision, self._frames, self._device = revision, frames, device
        self.model = Path(self._place).name if self._local else f"{model}@{revision[:12]}"

    @property
    def sha256(self) -> str:
        return language_model.folder_digest(self._place) if self._local else ""

    def describe(self, frames: Sequence[Frame]) -> str:
        """A sentence about frames (h, w, 3), of which it looks at `frames`, evenly spread."""
        torch = heavy.load("torch")
        processor, model = self._loaded
        picked = [frames[len(frames) // 2]]
        if self._frames > 1:
            at = np.linspace(0, len(frames) - 1, self._frames).round().astype(int)
            picked = [frames[k] for k in at]
        pixels = processor(images=picked, return_tensors="pt")["pixel_values"].to(model.device)
        if self._frames > 1:
            pixels = pixels.unsqueeze(0)  # GIT: (1, T, 3, h, w)
        with torch.inference_mode():
            made = model.generate(pixel_values=pixels, max_new_tokens=_MAX_TOKENS, do_sample=False)
        return clean(processor.batch_decode(made, skip_special_tokens=True)[0])

    def self_check(self) -> None:
        _ = self._loaded

    @cached_property
    def _loaded(self) -> tuple[Any, Any]:
        transformers, torch = heavy.load("transformers"), heavy.load("torch")
        where = {"local_files_only": True} | ({"revision": self._revision} if self._revision else {})
        try:
            processor = transformers.AutoProcessor.from_pretrained(self._place, **where)
            model = transformers.AutoModelForMultimodalLM.from_pretrained(
                self._place, use_safetensors=True, **where
            )
        except (OSError, ValueError) as error:
            raise MissingWeights(
                f"the captioner {self.model!r} is not on this machine or is no captioning model",
                help="Pull it first, or give the folder of its safetensors weights.",
            ) from error
        device = self._device if self._device != "auto" else ("cuda" if torch.cuda.is_available() else "cpu")
        return processor, model.to(device).eval()


class LanguageModelMerger:
    """Merges by a causal model with a chat template, as script/language_model.py writes scripts."""

    def __init__(self, *, model: str, revision: str = "", device: str = "auto") -> None:
        self._place, self._local = _place(model, revision, "merging model")
        self._revision, self._device = revision, device
        self.model = Path(self._place).name if self._local else f"{model}@{revision[:12]}"

    @property
    def sha256(self) -> str:
        return language_model.folder_digest(self._place) if self._local else ""

    def merge(self, image: str, video: str) -> str:
        torch = heavy.load("torch")
        tokenizer, model = language_model.loaded(self._place, self._revision, self._device)
        asked = (
            "Join two descriptions of one video clip into one sentence. Add nothing that they do not say. "
            f"Answer with the sentence alone.\nPicture: {image}\nMovement: {video}"
        )
        chat = [{"role": "user", "content": asked}]
        ids = tokenizer.apply_chat_template(chat, add_generation_prompt=True, tokenize=True, return_dict=True)
        given = torch.tensor([ids["input_ids"]], device=model.device)
        with torch.inference_mode():
            made = model.generate(
                given,
                attention_mask=torch.ones_like(given),
                max_new_tokens=_MAX_TOKENS,
                do_sample=False,
                pad_token_id=tokenizer.pad_token_id or tokenizer.eos_token_id or 0,
            )
        return clean(tokenizer.decode(made[0, given.shape[1] :], skip_special_tokens=True))

    def self_check(self) -> None:
        language_model.loaded(self._place, self._revision, self._device)


def _place(model: str, revision: str, what: str) -> tuple[str, bool]:
    """(folder or hub id, whether it is a folder). ConfigurationError for a hub id without its revision."""
    local = model.startswith((".", "/", "~"))
    if not local and not re.fullmatch(r"[0-9a-f]{40}", revision):
        raise ConfigurationError(f"the {what} {model!r} needs the full hash of a revision")
    return (str(Path(model).expanduser()) if local else model), local


def clean(text: str) -> str:
    """One line of at most MAX_CAPTION printable characters."""
    return "".join(c for c in " ".join(text.split()) if c.isprintable())[:MAX_CAPTION].strip()


def load() -> dict[str, Any]:
    """The configured plug-ins by role. ConfigurationError for a role that is not known."""
    configured: Mapping[str, Any] = conf.get("CAPTIONERS")
    if unknown := sorted(set(configured) - set(ROLES)):
        raise ConfigurationError(f"BYLINE['CAPTIONERS'] takes {', '.join(ROLES)}; unknown: {unknown}")
    return {role: plugins.load("CAPTIONERS", role, "captioner") for role in configured}


def write(frames: Sequence[Frame], own: str, captioners: Mapping[str, Any]) -> tuple[Caption, ...]:
    """The operator's words, then one caption per role. A model that breaks is "failed", never a guess."""
    found = {OPERATOR: Caption(OPERATOR, clean(own), "written" if own.strip() else NOT_AVAILABLE)}
    for role in ROLES:
        found[role] = _one(role, frames, captioners.get(role), found)
    return tuple(found.values())


def _one(role: str, frames: Sequence[Frame], model: Any, found: Mapping[str, Caption]) -> Caption:
    if model is None:
        return Caption(role, "", NOT_AVAILABLE)
    try:
        if role == "merge":
            image, video = (found[name].text for name in ("image", "video"))
            if not (image and video):
                return Caption(role, "", "not available: it needs both captions", model.model, model.sha256)
            text = model.merge(image, video)
        else:
            text = model.describe(frames)
    except BylineError as error:
        return Caption(role, "", f"failed: {error.code}", model.model)
    except Exception as error:  # noqa: BLE001  whatever broke inside a model, there is no caption
        return Caption(role, "", f"failed: {type(error).__name__}", model.model)
    text = clean(text)
    return Caption(role, text, "written" if text else "failed: empty", model.model, model.sha256)


def for_training(captions: Sequence[Mapping[str, str]]) -> list[str]:
    """The texts to learn from: the operator's, else the merged one, else what there is."""
    texts = {entry["kind"]: entry["text"] for entry in captions if entry["text"]}
    for kind in (OPERATOR, "merge"):
        if texts.get(kind):
            return [texts[kind]]
    return [texts[kind] for kind in ("image", "video") if texts.get(kind)]
