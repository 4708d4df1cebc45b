"""Voices of transformers: SpeechT5, VITS and MMS, Bark, Dia, CSM. The weights are the operator's.

Each class drives one family as its makers do; all share what is around it: a local folder or a pinned hub id,
loaded on first use from safetensors and never fetched; one sentence at a time with the same speaker and seed,
so that a long script keeps its voice; silence trimmed, levels evened, a bound on the length. None of these
models gives word times: the words share their sentence's, and captions are aligned where the language allows.
A timbre that comes from a recording of a person is `synthetic=False` and needs that person's consent.
"""

import functools
import hashlib
import re
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from byline.audit.base import heavy
from byline.audit.base.errors import ConfigurationError, MissingWeights
from byline.generation.script.language_model import folder_digest
from byline.generation.voices import sentences
from byline.generation.voices.base import (
    MAX_CHARACTERS,
    MAX_SECONDS,
    Speech,
    SpeechFailed,
    UnknownLanguage,
    UnspeakableText,
    VoiceExample,
    VoiceInfo,
)

USUAL_RATE = 165
_LOUD = 0.02  # of the loudest sample: quieter ends of a sentence are silence
_PEAK = 0.891


class _NeuralVoice:
    """What the families share. `languages` are the tags that this checkpoint was trained for."""

    FAMILY: ClassVar[str]
    CLASS: ClassVar[str]  # of transformers
    PROCESSOR: ClassVar[str] = "AutoProcessor"
    RATED: ClassVar[bool] = False  # whether it can speak faster or slower

    def __init__(
        self,
        *,
        model: str,
        languages: Sequence[str] = ("en-us",),
        revision: str = "",
        licence: str = "not stated",
        device: str = "auto",
        seed: int = 0,
    ) -> None:
        self._local = model.startswith((".", "/", "~"))
        if not self._local and not re.fullmatch(r"[0-9a-f]{40}", revision):
            raise ConfigurationError(f"voice {model!r} needs the full hash of a revision")
        if not languages or (device not in ("auto", "cpu") and not re.fullmatch(r"cuda(:\d+)?", device)):
            raise ConfigurationError("a voice has languages, and a device that is auto, cpu or cuda")
        self._model = str(Path(model).expanduser()) if self._local else model
        self._languages = tuple(sorted(tag.lower() for tag in languages))
        self._revision, self._licence, self._device, self._seed = revision, licence, device, seed
        self._lock = threading.Lock()

    @property
    def info(self) -> VoiceInfo:
        return VoiceInfo(
            name=f"{self.FAMILY}:{Path(self._model).name if self._local else self._model}",
            version=self._revision[:12] or "local",
            licence=self._licence,
            synthetic=not self._speaker(),
            identifier="" if self._local else f"{self._model}@{self._revision}",
            speaker_sha256=self._speaker(),
            weights_sha256=folder_digest(self._model) if self._local else "",
        )

    def languages(self) -> Sequence[str]:
        return self._languages

    def speak(self, text: str, *, language: str = "en-us", rate: int = USUAL_RATE, pitch: int = 50) -> Speech:
        """See `Voice.speak`. `pitch` other than 50, and `rate` where the family has none, are refused."""
        if not text.strip() or len(text) > MAX_CHARACTERS:
            raise UnspeakableText(f"the voice-over has {len(text)} characters")
        if language.lower() not in self._languages:
            raise UnknownLanguage(f"this voice does not speak {language[:20]!r}")
        if pitch != 50 or (rate != USUAL_RATE and not self.RATED) or not 80 <= rate <= 400:
            raise UnspeakableText("this voice has no such rate or pitch", help="Leave rate and pitch out.")
        parts: list[Speech] = []
        for sentence in sentences.pieces(text):
            samples, at = self._sentence(sentence, rate)
            spoken = Speech(samples, at, sentences.shared_times(sentence, len(samples) / at), "sentence")
            parts.append(spoken)
            if sum(part.seconds for part in parts) > MAX_SECONDS:
                raise UnspeakableText(f"the voice-over takes longer than {MAX_SECONDS:.0f} s to read")
        return sentences.join(parts)

    def self_check(self) -> None:
        self._parts()

    def examples(self) -> Sequence[VoiceExample]:
        return (VoiceExample("The harbour opens again.", self._languages[0], 4, 0.01, 60.0),)

    def _sentence(self, sentence: str, rate: int) -> tuple[np.ndarray, int]:
        torch = heavy.load("torch")
        processor, model = self._parts()
        with self._lock, torch.inference_mode():
            torch.manual_seed(self._seed)
            made = self._say(processor, model, sentence, rate)
        samples = made.detach().float().cpu().numpy().reshape(-1)
        peak = float(np.abs(samples).max()) if samples.size else 0.0
        if not np.isfinite(peak) or peak < 1e-5:
            raise SpeechFailed("the voice gave no sound for a sentence")
        heard = np.flatnonzero(np.abs(samples) > _LOUD * peak)
        samples = samples[heard[0] : heard[-1] + 1] * (_PEAK / peak)
        return samples.astype(np.float32), self._rate(processor, model)

    def _parts(self) -> tuple[Any, Any]:
        return _loaded(self.CLASS, self.PROCESSOR, self._model, self._revision, self._device)

    def _speaker(self) -> str:
        """SHA-256 of the recording's or embedding's file, "" for a timbre that is nobody's."""
        return ""

    def _say(self, processor: Any, model: Any, sentence: str, rate: int) -> Any:
        """A tensor of samples for one sentence; under the lock and the seed."""
        raise NotImplementedError

    def _rate(self, processor: Any, model: Any) -> int:
        return int(model.config.sampling_rate)


class VitsVoice(_NeuralVoice):
    """VITS and the MMS checkpoints of over a thousand languages, one language each. Rate is theirs."""

    FAMILY, CLASS, PROCESSOR, RATED = "vits", "VitsModel", "AutoTokenizer", True

    def _say(self, processor: Any, model: Any, sentence: str, rate: int) -> Any:
        inputs = processor(sentence, return_tensors="pt").to(model.device)
        if not inputs["input_ids"].shape[-1]:
            raise UnspeakableText("the voice knows none of the characters of a sentence")
        model.speaking_rate = rate / USUAL_RATE
        return model(**inputs).waveform[0]


class SpeechT5Voice(_NeuralVoice):
    """SpeechT5 with its HiFi-GAN vocoder.

    `speaker` is an .npy file with a 512-dimensional x-vector: of a person, who must consent. Without it the
    timbre is drawn from the seed and nobody's.
    """

    FAMILY, CLASS, PROCESSOR = "speecht5", "SpeechT5ForTextToSpeech", "SpeechT5Processor"

    def __init__(self, *, vocoder: str, speaker: str = "", **common: Any) -> None:
        super().__init__(**common)
        self._vocoder, self._vector = vocoder, Path(speaker).expanduser() if speaker else None

    def self_check(self) -> None:
        super().self_check()
        self._sounder()
        self._embedding()

    def _speaker(self) -> str:
        return hashlib.sha256(self._vector.read_bytes()).hexdigest() if self._vector else ""

    def _embedding(self) -> np.ndarray:
        size = int(self._parts()[1].config.speaker_embedding_dim)
        if self._vector is None:
            drawn = np.random.default_rng(self._seed).normal(size=size)
            return (drawn / np.linalg.norm(drawn)).astype(np.float32)
        try:
            vector = np.load(self._vector, allow_pickle=False).astype(np.float32).reshape(-1)
        except (OSError, ValueError) as error:
            raise MissingWeights("the voice's speaker file cannot be read") from error
        if vector.shape != (size,) or not np.isfinite(vector).all():
            raise ConfigurationError(f"the voice's speaker file does not hold {size} numbers")
        return vector

    def _sounder(self) -> Any:
        return _loaded("SpeechT5HifiGan", "", self._vocoder, self._revision, self._device)[1]

    def _say(self, processor: Any, model: Any, sentence: str, rate: int) -> Any:
        torch = heavy.load("torch")
        ids = processor(text=sentence, return_tensors="pt")["input_ids"].to(model.device)
        vector = torch.from_numpy(self._embedding())[None].to(model.device)
        return model.generate_speech(ids, vector, vocoder=self._sounder())

    def _rate(self, processor: Any, model: Any) -> int:
        return int(self._sounder().config.sampling_rate)


class BarkVoice(_NeuralVoice):
    """Bark, with its own drawn timbre: a seed alone, no speaker prompt (those are recordings of people)."""

    FAMILY, CLASS, PROCESSOR = "bark", "BarkModel", "AutoTokenizer"

    def _say(self, processor: Any, model: Any, sentence: str, rate: int) -> Any:
        window = model.generation_config.semantic_config["max_input_semantic_length"]
        inputs = processor(
            sentence,
            max_length=window,
            padding="max_length",
            truncation=False,
            add_special_tokens=False,
            return_attention_mask=True,
            return_token_type_ids=False,
            return_tensors="pt",
        ).to(model.device)
        if inputs["input_ids"].shape[-1] > window:
            raise UnspeakableText("one sentence is longer than the voice can read", help="Divide it.")
        return model.generate(**inputs)[0]

    def _rate(self, processor: Any, model: Any) -> int:
        return int(model.generation_config.sample_rate)


class DiaVoice(_NeuralVoice):
    """Dia, one speaker's turn; its processor decodes the codes with the DAC that lies in the folder."""

    FAMILY, CLASS = "dia", "DiaForConditionalGeneration"

    def _say(self, processor: Any, model: Any, sentence: str, rate: int) -> Any:
        inputs = processor(text=[f"[S1] {sentence}"], padding=True, return_tensors="pt").to(model.device)
        return processor.batch_decode(model.generate(**inputs))[0]

    def _rate(self, processor: Any, model: Any) -> int:
        return int(processor.feature_extractor.sampling_rate)


class CsmVoice(_NeuralVoice):
    """CSM without context audio: the timbre is the checkpoint's own speaker 0."""

    FAMILY, CLASS = "csm", "CsmForConditionalGeneration"

    def _say(self, processor: Any, model: Any, sentence: str, rate: int) -> Any:
        inputs = processor(f"[0]{sentence}", add_special_tokens=True, return_tensors="pt").to(model.device)
        return model.generate(**inputs, output_audio=True)[0]

    def _rate(self, processor: Any, model: Any) -> int:
        return int(model.config.codec_config.sampling_rate)


@functools.lru_cache(maxsize=4)
def _loaded(kind: str, processor: str, name: str, revision: str, device: str) -> tuple[Any, Any]:
    transformers, torch = heavy.load("transformers"), heavy.load("torch")
    where = {"revision": revision} if revision and not name.startswith((".", "/", "~")) else {}
    options: dict[str, Any] = {"local_files_only": True, **where}
    try:
        reader = getattr(transformers, processor).from_pretrained(name, **options) if processor else None
        model = getattr(transformers, kind).from_pretrained(name, use_safetensors=True, **options)
    except (OSError, ValueError, ImportError) as error:
        raise MissingWeights(
            f"the voice {Path(name).name!r} is not on this machine or is no {kind}",
            help="Pull it first, or give the folder of its safetensors weights.",
        ) from error
    target = device if device != "auto" else ("cuda" if torch.cuda.is_available() else "cpu")
    return reader, model.to(target).eval()
