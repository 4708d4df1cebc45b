"""Transcripts by Whisper-like models of transformers (AutoModelForSpeechSeq2Seq).

The sound is cut into the model's windows of 30 s. What comes out is moderated as "transcript", whatever
the script said. A transcript is kept nowhere.
"""

from __future__ import annotations

import functools
import threading
from math import gcd
from typing import Any

import numpy as np

from byline.audit.base import heavy
from byline.safety.guards.weights import GuardConfig, check_pin, config
from byline.safety.screen import weights
from byline.safety.screen.base import MAX_TEXT, ScreenerExample

_TOKENS = 220  # of 30 s of speech; bounds what a model that repeats itself can cost


class Whisper:
    """Of CONFIG it needs path, sha256 and revision alone."""

    def __init__(self, **values: Any) -> None:
        self.config: GuardConfig = config(GuardConfig, values)
        self._lock = threading.Lock()

    def self_check(self) -> None:
        check_pin(self.config)

    @functools.cached_property
    def _loaded(self) -> tuple[Any, Any]:
        return weights.load(self.config, "AutoProcessor", "AutoModelForSpeechSeq2Seq")

    def transcribe(self, samples: np.ndarray, rate: int, language: str) -> str:
        """The words of float32 mono `samples`; `language` is a tag such as "en-us"."""
        from scipy.signal import resample_poly

        torch = heavy.load("torch")
        with self._lock, torch.inference_mode():
            processor, model = self._loaded
            wanted = int(processor.feature_extractor.sampling_rate)
            common = gcd(rate, wanted)
            sound = resample_poly(samples, wanted // common, rate // common).astype(np.float32)
            options: dict[str, Any] = {"max_new_tokens": _TOKENS, "do_sample": False}
            code = language.lower().partition("-")[0]
            known = getattr(model.generation_config, "lang_to_id", None) or {}
            if f"<|{code}|>" in known:
                options |= {"language": code, "task": "transcribe"}
            window = int(processor.feature_extractor.n_samples)
            said = []
            for start in range(0, len(sound), window):
                piece = sound[start : start + window]
                inputs = processor(piece, sampling_rate=wanted, return_tensors="pt").to(self.config.device)
                tokens = model.generate(inputs.input_features, **options)
                said.append(processor.batch_decode(tokens, skip_special_tokens=True)[0].strip())
        return " ".join(part for part in said if part)[:MAX_TEXT]

    def examples(self) -> tuple[ScreenerExample, ...]:
        silence = {"samples": np.zeros(16_000, np.float32), "rate": 16_000, "language": "en-us"}
        return (ScreenerExample(silence, "a text", lambda said: isinstance(said, str)),)
