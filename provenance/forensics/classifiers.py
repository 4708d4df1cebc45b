"""Adapters for image and audio classifiers of the transformers library, as one more forensic source.

Setting `FORENSIC_CLASSIFIERS = {"name": {"CLASS": "...ImageClassifier", "CONFIG": {"model": hub id or
folder, "revision": commit, "fake": [labels], "real": [labels]}}}`; none by default. Promises: nothing
is fetched; only safetensors are loaded, never pickles; every label of the model must be named on one
side, because cards disagree whether label 0 is the fake. `self_check` says in one error what is
missing, without loading torch. A card's own accuracy is not believed: a classifier contributes
nothing until `byline provenance calibrate` has measured it here, like any other source.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from math import gcd
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from byline.audit.base import conf, heavy, pretrained
from byline.audit.base.errors import ConfigurationError, MissingWeights
from byline.provenance.forensics.base import Extractor, Kind, NotApplicable, Sample

FRAMES = 8
SECONDS = 30.0


class Classifier(Protocol):
    """What a plug-in must have."""

    def self_check(self) -> None:
        """ConfigurationError or MissingWeights if `extractor` cannot work here. Loads no model."""
        ...

    def extractor(self, name: str) -> Extractor: ...


class _Transformers:
    """Weights, labels and logits that both media share."""

    kinds: ClassVar[frozenset[Kind]]

    def __init__(self, *, model: str, fake: Sequence[str], real: Sequence[str], revision: str = "") -> None:
        self.model, self.revision = model, revision
        self._labels = {label: True for label in fake} | {label: False for label in real}
        if not fake or not real or len(self._labels) != len(fake) + len(real):
            raise ConfigurationError(
                f"classifier {model!r}: name the labels of both sides, each once",
                help='Give "fake" and "real" as lists of the model\'s own labels.',
            )

    def self_check(self) -> None:
        """The files are here and every label of the model stands on one side."""
        pretrained.check_labels(
            self.model,
            self.revision,
            self._labels,
            pin_help="Pin the commit that you calibrate with.",
            labels_help="Name every label of the model once, under fake or under real.",
        )

    def extractor(self, name: str) -> Extractor:
        """The classifier as a forensic source of one number: log odds of fake against real."""
        return Extractor(
            source=f"classifier:{name}",
            version=f"{type(self).__name__}-1 {self.model}@{self.revision or 'local'}",
            kinds=self.kinds,
            names=("fake_log_odds",),
            limits="A trained classifier; wrong on generators, codecs and subjects it did not see.",
            compute=self._compute,
            clip=3.0,
        )

    def _compute(self, sample: Sample) -> NDArray[np.float64]:
        raise NotImplementedError

    def _load(self, preparer: str, network: str) -> tuple[Any, Any]:
        """(processor, network in evaluation mode) from local files alone."""
        self.self_check()
        transformers = heavy.load("transformers")
        options = {"local_files_only": True} | ({"revision": self.revision} if self.revision else {})
        try:
            prepared = getattr(transformers, preparer).from_pretrained(self.model, **options)
            loaded = getattr(transformers, network).from_pretrained(
                self.model, use_safetensors=True, **options
            )
        except (OSError, ValueError) as error:
            raise MissingWeights(
                f"classifier {self.model!r} cannot be loaded: {type(error).__name__}"
            ) from error
        return prepared, loaded.eval()

    def _log_odds(self, network: Any, inputs: Mapping[str, Any]) -> NDArray[np.float64]:
        """(batch,) log P(fake) - log P(real) over the label map."""
        torch = heavy.load("torch")
        with torch.inference_mode():
            logits = network(**inputs).logits.float()
        fake = torch.tensor([self._labels[label] for _, label in sorted(network.config.id2label.items())])
        odds = torch.logsumexp(logits[:, fake], 1) - torch.logsumexp(logits[:, ~fake], 1)
        return np.asarray(odds.numpy(), np.float64)


class ImageClassifier(_Transformers):
    """`AutoModelForImageClassification` on a picture, or on some frames of a video, averaged."""

    kinds: ClassVar[frozenset[Kind]] = frozenset({"image", "video"})

    @cached_property
    def _loaded(self) -> tuple[Any, Any]:
        return self._load("AutoImageProcessor", "AutoModelForImageClassification")

    def _compute(self, sample: Sample) -> NDArray[np.float64]:
        frames = sample.media.frames
        if not frames:
            raise NotApplicable("the file has no pictures")
        picked = np.unique(np.linspace(0, len(frames) - 1, FRAMES).round().astype(int))
        processor, network = self._loaded
        inputs = processor(images=[frames[i] for i in picked], return_tensors="pt")
        return np.array([self._log_odds(network, inputs).mean()])


class AudioClassifier(_Transformers):
    """`AutoModelForAudioClassification` on the first half minute of the sound."""

    kinds: ClassVar[frozenset[Kind]] = frozenset({"audio", "video"})

    @cached_property
    def _loaded(self) -> tuple[Any, Any]:
        return self._load("AutoFeatureExtractor", "AutoModelForAudioClassification")

    def _compute(self, sample: Sample) -> NDArray[np.float64]:
        from scipy import signal

        media = sample.media
        if media.samples is None or media.samples.size < media.rate:
            raise NotApplicable("less than a second of sound")
        extractor, network = self._loaded
        rate = int(extractor.sampling_rate)
        common = gcd(media.rate, rate)
        sound = signal.resample_poly(
            media.samples[: int(SECONDS * media.rate)], rate // common, media.rate // common
        )
        inputs = extractor(sound.astype(np.float32), sampling_rate=rate, return_tensors="pt")
        return np.array([self._log_odds(network, inputs)[0]])


def configured() -> dict[str, Classifier]:
    """The classifiers of the setting FORENSIC_CLASSIFIERS by name. ConfigurationError for a wrong entry."""
    from django.utils.module_loading import import_string

    found: dict[str, Classifier] = {}
    for name, entry in conf.get("FORENSIC_CLASSIFIERS").items():
        where = f"BYLINE['FORENSIC_CLASSIFIERS'][{name!r}]"
        if not isinstance(entry, Mapping) or "CLASS" not in entry or set(entry) - {"CLASS", "CONFIG"}:
            raise ConfigurationError(f"{where} takes CLASS and CONFIG")
        try:
            found[name] = import_string(entry["CLASS"])(**dict(entry.get("CONFIG") or {}))
        except ImportError as error:
            raise ConfigurationError(f"{where}: cannot import {entry['CLASS']!r}") from error
        except TypeError as error:
            raise ConfigurationError(f"{where}: CONFIG does not fit: {error}") from error
    return found
