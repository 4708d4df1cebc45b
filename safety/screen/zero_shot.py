"""CLIP-like models: violence or weapons by words alone, and agreement of a clip with its prompt.

`ZeroShot`: CONFIG `labels` maps descriptions to categories, e.g. {"a photo of a handgun":
"weapons_illegal", "a photo of a landscape": null}; a softmax over all of them, so describe what is
harmless, too. Uncalibrated: set review_at and block_at by measuring (docs/screening.md). `ClipAgreement`
ranks the prompt among others. Source: CLIP, arXiv 2103.00020; transformers, CLIPModel.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from byline.audit.base import heavy
from byline.audit.base.errors import ConfigurationError
from byline.safety.guards.base import GuardFailed, strongest
from byline.safety.guards.weights import GuardConfig, check_pin, config
from byline.safety.screen import weights
from byline.safety.screen.base import Frames, ScreenerExample
from byline.safety.screen.image_classifier import PLAIN

# What a prompt is ranked among: the range of what an editorial team asks for.
OTHER_PROMPTS = tuple(
    f"{who} {where}"
    for who in (
        "a reporter talking", "a crowd walking", "a car driving", "a dog running", "a red ball bouncing",
        "a chef cooking", "waves breaking", "a doctor with a patient", "a chart with numbers",
        "a football match", "a robot arm", "a train arriving", "rain falling", "an empty room",
    )
    for where in ("in the city", "on a beach", "at night", "in the mountains", "in an office", "in a studio")
)  # fmt: skip


class _Clip:
    def __init__(self, values: Mapping[str, Any]) -> None:
        self.config: GuardConfig = config(GuardConfig, values)
        self._lock = threading.Lock()

    def self_check(self) -> None:
        check_pin(self.config)

    @functools.cached_property
    def _loaded(self) -> tuple[Any, Any]:
        return weights.load(self.config, "AutoProcessor", "CLIPModel")

    def _logits(self, frames: Frames, texts: Sequence[str]) -> Any:
        """(frames, texts) scaled similarities."""
        torch = heavy.load("torch")
        with self._lock, torch.inference_mode():
            processor, model = self._loaded
            inputs = processor(
                text=list(texts), images=list(frames), return_tensors="pt", padding=True, truncation=True
            ).to(self.config.device)
            logits = model(**inputs).logits_per_image.float()
        if not torch.isfinite(logits).all():
            raise GuardFailed("the model gave numbers that are none")
        return logits


class ZeroShot(_Clip):
    def __init__(self, **values: Any) -> None:
        super().__init__(values)
        self.levels = self.config.levels({})
        self._texts = list(self.config.labels)
        if len(self._texts) == len(self.levels):
            raise ConfigurationError(
                "zero-shot labels need something harmless to compare with",
                help='Add descriptions that map to null, e.g. {"a photo of a landscape": null}.',
            )

    def examples(self) -> tuple[ScreenerExample, ...]:
        return (PLAIN,)

    def scores(self, frames: Frames) -> Mapping[str, float]:
        """The highest score over the frames, by category."""
        found = self._logits(frames, self._texts).softmax(dim=-1).tolist()
        place = {text: number for number, text in enumerate(self._texts)}
        return strongest(
            [
                {level.category: level.score(row[place[text]])}
                for row in found
                for text, level in self.levels.items()
            ]
        )


class ClipAgreement(_Clip):
    """For any engine; of CONFIG it needs path, sha256 and revision alone."""

    def __init__(self, **values: Any) -> None:
        super().__init__(values)

    def covers(self, model: str) -> bool:
        return True

    def score(self, frames: Frames, prompt: str) -> float:
        """Share of OTHER_PROMPTS that fit the clip worse, by the mean over the frames."""
        fits = self._logits(frames, [prompt, *OTHER_PROMPTS]).mean(dim=0)
        return float((fits[1:] < fits[0]).float().mean())

    def examples(self) -> tuple[ScreenerExample, ...]:
        grey = {"frames": PLAIN.given["frames"], "prompt": "a red ball"}
        return (ScreenerExample(grey, "a share", lambda share: bool(np.isfinite(share)) and 0 <= share <= 1),)
