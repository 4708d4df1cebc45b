"""Attributes of people measured on frames: what a classifier must be, and an adapter for transformers.

Setting `FAIRNESS = {"CLASSIFIER": {"CLASS": ..., "CONFIG": {...}}}`; without it, the starter model's own
people are measured by the probe that comes with it, and every other engine's are "not measured". Promises:
nothing is fetched; only safetensors are loaded; every label of a model is mapped to a value of ours or
to "" by hand, because a label is a claim about people that somebody must answer for. A reading belongs to
a picture that is generated; nothing here may be run on recordings of real people, and nothing is stored
but the values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from byline.audit.base import conf, heavy, pretrained
from byline.audit.base.errors import ConfigurationError, MissingWeights
from byline.safety.fairness.attributes import VALUES

DEFAULT = "byline.generation.starter.attributes.PictogramAttributes"
_FRAMES = 4


@dataclass(frozen=True)
class Reading:
    """The person of one clip: attribute -> the classifier's own value."""

    values: Mapping[str, str]


class AttributeClassifier(Protocol):
    """What a plug-in must have. `values` maps each attribute's own values to values of ours (several,
    where the classifier is coarser than the words); `engines` are the names of engines whose people it may
    be asked about, () for all; `accuracy` is measured, by attribute, {} when nobody measured it."""

    engines: tuple[str, ...]

    @property
    def values(self) -> Mapping[str, Mapping[str, tuple[str, ...]]]: ...

    @property
    def version(self) -> str: ...

    @property
    def accuracy(self) -> Mapping[str, float]: ...

    def self_check(self) -> None:
        """ConfigurationError or MissingWeights if `read` cannot work here. Loads no model."""
        ...

    def read(self, frames: NDArray[np.uint8]) -> Reading | None:
        """The person of a clip (T, h, w, 3); None when there is nobody."""
        ...


class ImageClassifier:
    """`AutoModelForImageClassification` for one attribute, averaged over some frames.

    CONFIG: {"model": hub id or folder, "revision": commit, "attribute": "gender", "labels": {the model's
    label: our value or "" for nobody}}.
    """

    def __init__(
        self,
        *,
        model: str,
        attribute: str,
        labels: Mapping[str, str],
        revision: str = "",
        engines: Sequence[str] = (),
        accuracy: float | None = None,
    ) -> None:
        self.model, self.revision, self.attribute = model, revision, attribute
        self.engines = tuple(engines)
        self.accuracy: Mapping[str, float] = {} if accuracy is None else {attribute: accuracy}
        self._labels = dict(labels)
        known = VALUES.get(attribute, ())
        wrong = sorted({value for value in labels.values() if value and value not in known})
        if not known or wrong or len({v for v in labels.values() if v}) < 2:
            raise ConfigurationError(
                f"classifier {model!r}: map its labels to two values or more of one attribute {wrong}",
                help=f"Values of {attribute}: {', '.join(filter(None, known)) or 'no such attribute'}.",
            )
        self.values = {attribute: {value: (value,) for value in labels.values() if value}}

    @property
    def version(self) -> str:
        return f"{self.model}@{self.revision or 'local'}"

    def self_check(self) -> None:
        """The files are here and every label of the model is mapped."""
        pretrained.check_labels(
            self.model,
            self.revision,
            self._labels,
            pin_help="Pin a commit.",
            labels_help='Map every label of the model; "" for one that shows nobody.',
        )

    @cached_property
    def _loaded(self) -> tuple[Any, Any]:
        self.self_check()
        transformers = heavy.load("transformers")
        options = {"local_files_only": True} | ({"revision": self.revision} if self.revision else {})
        try:
            prepared = transformers.AutoImageProcessor.from_pretrained(self.model, **options)
            loaded = transformers.AutoModelForImageClassification.from_pretrained(
                self.model, use_safetensors=True, **options
            )
        except (OSError, ValueError) as error:
            raise MissingWeights(
                f"classifier {self.model!r} cannot be loaded: {type(error).__name__}"
            ) from error
        return prepared, loaded.eval()

    def read(self, frames: NDArray[np.uint8]) -> Reading | None:
        """The mapped label with the highest mean log probability; None for one mapped to ""."""
        torch = heavy.load("torch")
        processor, network = self._loaded
        picked = np.unique(np.linspace(0, len(frames) - 1, _FRAMES).round().astype(int))
        with torch.inference_mode():
            inputs = processor(images=[frames[i] for i in picked], return_tensors="pt")
            mean = torch.log_softmax(network(**inputs).logits.float(), 1).mean(0)
        value = self._labels[network.config.id2label[int(mean.argmax())]]
        return Reading({self.attribute: value}) if value else None


def configured() -> AttributeClassifier:
    """The classifier of the setting, or the embedded one. ConfigurationError for a wrong entry."""
    from django.utils.module_loading import import_string

    entry = conf.get("FAIRNESS").get("CLASSIFIER", {"CLASS": DEFAULT})
    where = "BYLINE['FAIRNESS']['CLASSIFIER']"
    if not isinstance(entry, Mapping) or "CLASS" not in entry or set(entry) - {"CLASS", "CONFIG"}:
        raise ConfigurationError(f"{where} takes CLASS and CONFIG")
    try:
        made: AttributeClassifier = import_string(entry["CLASS"])(**dict(entry.get("CONFIG") or {}))
    except ImportError as error:
        raise ConfigurationError(f"{where}: cannot import {entry['CLASS']!r}") from error
    except TypeError as error:
        raise ConfigurationError(f"{where}: CONFIG does not fit: {error}") from error
    return made
