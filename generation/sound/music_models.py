"""Music by open models: MusicGen (transformers) and Stable Audio (diffusers). The weights are the operator's.

The words for a mood are fixed and put before the editor's prompt, which was moderated like any other. Weights
come from a local folder or from a pinned hub id in the local cache, as safetensors, and are never fetched
here. MusicGen's released weights are for non-commercial use: `licence` is what the manifest says.
A model plays at most `longest` seconds; a longer bed goes on without a seam (extension.py).
"""

import functools
import re
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from byline.audit.base import heavy
from byline.audit.base.errors import ConfigurationError, MissingWeights
from byline.generation.script.language_model import folder_digest
from byline.generation.sound import extension
from byline.generation.sound.base import MOODS, MusicFailed, MusicInfo, MusicWish, Piece
from byline.generation.sound.music import faded

_WORDS = {
    "calm": "calm soft ambient background music, warm pads, slow piano, no drums, no vocals",
    "bright": "bright friendly light background music, plucked strings, gentle percussion, no vocals",
    "tense": "tense minimal background music, low strings, pulsing, no vocals",
    "sombre": "sombre slow background music, low strings and piano, no vocals",
}
_FADE_S = 1.5


class _ModelMusic:
    """What both share. `longest` is the length in seconds that the model was trained for."""

    FAMILY: ClassVar[str]

    def __init__(
        self,
        *,
        model: str,
        revision: str = "",
        licence: str = "not stated",
        device: str = "auto",
        longest: float = 30.0,
        steps: int = 100,
        guidance: float = 3.0,
    ) -> None:
        self._local = model.startswith((".", "/", "~"))
        if not self._local and not re.fullmatch(r"[0-9a-f]{40}", revision):
            raise ConfigurationError(f"music model {model!r} needs the full hash of a revision")
        if not 0.5 <= longest <= 300 or not 1 <= steps <= 500 or not 0 <= guidance <= 20:
            raise ConfigurationError("music model: longest, steps or guidance is out of bounds")
        self._model = str(Path(model).expanduser()) if self._local else model
        self._revision, self._licence, self._device = revision, licence, device
        self._longest, self._steps, self._guidance = longest, steps, guidance
        self._lock = threading.Lock()

    @property
    def info(self) -> MusicInfo:
        name = Path(self._model).name if self._local else self._model
        version = f"sha256:{folder_digest(self._model)[:16]}" if self._local else self._revision[:12]
        identifier = "" if self._local else f"{self._model}@{self._revision}"
        return MusicInfo(f"{self.FAMILY}:{name}", version, self._licence, identifier)

    def compose(self, wish: MusicWish) -> Piece:
        """See `MusicMaker.compose`. Beats are not known."""
        if wish.mood not in MOODS or not 0.5 <= wish.seconds <= extension.MAX_SECONDS:
            raise MusicFailed("no music of this mood and length", help=f"Moods: {', '.join(MOODS)}.")
        torch = heavy.load("torch")
        prompt = ", ".join(part for part in (_WORDS[wish.mood], wish.prompt) if part)
        with self._lock, torch.inference_mode():
            torch.manual_seed(wish.seed % 2**63)
            made, rate = self._play(prompt, min(wish.seconds, self._longest), wish.seed)
        samples = made.astype(np.float32)
        peak = float(np.abs(samples).max()) if samples.size else 0.0
        if not np.isfinite(peak) or peak < 1e-6:
            raise MusicFailed("the music model gave no sound")
        count = round(wish.seconds * rate)
        samples = samples[:count] * (0.5 / peak)
        if len(samples) < count:
            samples = extension.extend(samples, rate, wish.seconds)
        return Piece(faded(samples, rate, min(_FADE_S, wish.seconds / 3)).astype(np.float32), rate)

    def examples(self) -> Sequence[MusicWish]:
        return (MusicWish(2.0, "calm", 7),)

    def _play(self, prompt: str, seconds: float, seed: int) -> tuple[np.ndarray, int]:
        """(mono samples, rate); under the lock and the seed."""
        raise NotImplementedError

    def _where(self) -> dict[str, Any]:
        return {"local_files_only": True, **({"revision": self._revision} if not self._local else {})}

    def _missing(self, kind: str) -> MissingWeights:
        return MissingWeights(
            f"the music model {Path(self._model).name!r} is not on this machine or is no {kind}",
            help="Pull it first, or give the folder of its safetensors weights.",
        )

    def _target(self) -> str:
        if self._device != "auto":
            return self._device
        return "cuda" if heavy.load("torch").cuda.is_available() else "cpu"


class MusicGen(_ModelMusic):
    """MusicGen from text, 32 kHz; `steps` is not read."""

    FAMILY = "musicgen"

    def self_check(self) -> None:
        _ = self._loaded

    @functools.cached_property
    def _loaded(self) -> tuple[Any, Any]:
        transformers = heavy.load("transformers")
        try:
            tokenizer = transformers.AutoTokenizer.from_pretrained(self._model, **self._where())
            model = transformers.MusicgenForConditionalGeneration.from_pretrained(
                self._model, use_safetensors=True, **self._where()
            )
        except (OSError, ValueError) as error:
            raise self._missing("MusicGen") from error
        return tokenizer, model.to(self._target()).eval()

    def _play(self, prompt: str, seconds: float, seed: int) -> tuple[np.ndarray, int]:
        tokenizer, model = self._loaded
        inputs = tokenizer([prompt], padding=True, return_tensors="pt").to(model.device)
        codec = model.config.audio_encoder
        # The codebooks are delayed by one step each: so many tokens more for the last one to end.
        tokens = int(np.ceil(seconds * codec.frame_rate)) + model.config.decoder.num_codebooks
        made = model.generate(
            **inputs, do_sample=True, guidance_scale=max(1.0, self._guidance), max_new_tokens=tokens
        )
        return made[0].mean(dim=0).float().cpu().numpy(), int(codec.sampling_rate)


class StableAudio(_ModelMusic):
    """Stable Audio's latent diffusion, stereo folded to mono."""

    FAMILY = "stable-audio"

    def self_check(self) -> None:
        _ = self._loaded

    @functools.cached_property
    def _loaded(self) -> Any:
        diffusers = heavy.load("diffusers")
        try:
            pipeline = diffusers.StableAudioPipeline.from_pretrained(
                self._model, use_safetensors=True, **self._where()
            )
        except (OSError, ValueError) as error:
            raise self._missing("Stable Audio pipeline") from error
        pipeline.set_progress_bar_config(disable=True)
        return pipeline.to(self._target())

    def _play(self, prompt: str, seconds: float, seed: int) -> tuple[np.ndarray, int]:
        torch, pipeline = heavy.load("torch"), self._loaded
        made = pipeline(
            prompt=prompt,
            negative_prompt="vocals, speech, low quality",
            audio_end_in_s=seconds,
            num_inference_steps=self._steps,
            guidance_scale=self._guidance,
            generator=torch.Generator(pipeline.device).manual_seed(seed % 2**63),
        ).audios[0]
        return made.mean(dim=0).float().cpu().numpy(), int(pipeline.vae.sampling_rate)
