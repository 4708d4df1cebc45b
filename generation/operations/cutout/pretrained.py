"""Mattes and object lists by models of the transformers library, from a pinned folder on this machine.

`SegmentationMatte` takes any model that tells classes apart pixel by pixel (MaskFormer, Mask2Former,
OneFormer, SegFormer, ...), `TransformersDetector` any that finds boxes (DETR, RT-DETR, YOLOS, ...).
safetensors only, never code from the folder. BiRefNet and RMBG are such code and are therefore left out.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from byline.audit.base import heavy
from byline.audit.base.errors import ConfigurationError, MissingWeights
from byline.generation.operations.cutout.base import CutoutExample, CutoutFailed, CutoutInfo, Thing
from byline.safety.guards.weights import directory_digest

_LOCAL = {"local_files_only": True, "trust_remote_code": False}
_SOFT = 0.8  # pixels over which the edge of a hard class map is softened
MOST_THINGS = 50


class _Pinned:
    """A model folder with its digest, loaded once. `model_class` is the transformers class that reads it."""

    def __init__(self, path: str, sha256: str, licence: str, model_class: str, device: str) -> None:
        self.path, self._sha256, self._licence = path, sha256, licence
        self._class, self._device = model_class, device
        self._lock = threading.Lock()

    @property
    def info(self) -> CutoutInfo:
        return CutoutInfo(Path(self.path).name, self._sha256[:12], self._licence, True, self._sha256)

    def labels(self) -> set[str]:
        """The classes that the model states. ConfigurationError when it states none."""
        try:
            stated = json.loads((Path(self.path) / "config.json").read_text())["id2label"]
            return set(stated.values())
        except (OSError, ValueError, KeyError, AttributeError) as error:
            raise ConfigurationError(f"the model in {self.path} states no labels") from error

    def self_check(self) -> None:
        found = directory_digest(self.path)
        if found != self._sha256:
            raise ConfigurationError(
                f"the files in {self.path} are not the pinned ones: their digest is {found}",
                help="Get the files that you pinned; or, if you trust these, pin that digest.",
            )

    @cached_property
    def _loaded(self) -> tuple[Any, Any]:
        self.self_check()
        transformers = heavy.load("transformers")
        try:
            processor = transformers.AutoImageProcessor.from_pretrained(self.path, **_LOCAL)
            model = getattr(transformers, self._class).from_pretrained(self.path, **_LOCAL)
        except (OSError, ValueError) as error:
            raise MissingWeights(
                f"the files in {self.path} do not make a {self._class}", help="Pull the model again."
            ) from error
        return processor, model.eval().to(self._device)

    def run(self, picture: np.ndarray, after: Callable[[Any, Any, tuple[int, int]], Any]) -> Any:
        """What `after(processor, outputs, (h, w))` makes of the model's answer to one picture."""
        torch = heavy.load("torch")
        with self._lock, torch.inference_mode():
            processor, model = self._loaded
            inputs = processor(images=picture, return_tensors="pt").to(self._device)
            return after(processor, model(**inputs), picture.shape[:2])


class SegmentationMatte:
    """`foreground` names the classes that are the subject; all others are background."""

    def __init__(
        self,
        *,
        path: str,
        sha256: str,
        foreground: Sequence[str],
        licence: str = "see the model's card",
        model_class: str = "AutoModelForUniversalSegmentation",
        device: str = "cpu",
    ) -> None:
        if model_class not in ("AutoModelForUniversalSegmentation", "AutoModelForSemanticSegmentation"):
            raise ConfigurationError(f"{model_class} does not segment")
        if not foreground:
            raise ConfigurationError("a matte needs the classes that are the subject (foreground)")
        self._foreground = tuple(foreground)
        self._model = _Pinned(path, sha256, licence, model_class, device)

    @property
    def info(self) -> CutoutInfo:
        return self._model.info

    def self_check(self) -> None:
        self._model.self_check()
        if unknown := sorted(set(self._foreground) - self._model.labels()):
            raise ConfigurationError(f"the model in {self._model.path} has no classes {unknown}")

    def examples(self) -> tuple[CutoutExample, ...]:
        """None: what a model tells apart is its own."""
        return ()

    def alpha(self, frames: np.ndarray, check_cancelled: Callable[[], None]) -> np.ndarray:
        made = np.empty(frames.shape[:3], np.uint8)
        for index, frame in enumerate(frames):
            check_cancelled()
            classes = self._model.run(frame, self._classes)
            made[index] = cv2.GaussianBlur(classes, (0, 0), _SOFT)
        return made

    def _classes(self, processor: Any, outputs: Any, size: tuple[int, int]) -> np.ndarray:
        found = processor.post_process_semantic_segmentation(outputs, target_sizes=[size])[0]
        numbers = self._model._loaded[1].config.label2id
        wanted = [numbers[name] for name in self._foreground]
        return np.where(np.isin(found.cpu().numpy(), wanted), 255, 0).astype(np.uint8)


class TransformersDetector:
    """`threshold`: boxes of lower scores are left out."""

    def __init__(
        self,
        *,
        path: str,
        sha256: str,
        licence: str = "see the model's card",
        threshold: float = 0.5,
        device: str = "cpu",
    ) -> None:
        if not 0 <= threshold < 1:
            raise ConfigurationError("the threshold of a detector is a probability")
        self._threshold = threshold
        self._model = _Pinned(path, sha256, licence, "AutoModelForObjectDetection", device)

    @property
    def info(self) -> CutoutInfo:
        return self._model.info

    def self_check(self) -> None:
        self._model.self_check()
        self._model.labels()

    def things(self, picture: np.ndarray) -> tuple[Thing, ...]:
        found: tuple[Thing, ...] = self._model.run(picture, self._things)
        return found

    def _things(self, processor: Any, outputs: Any, size: tuple[int, int]) -> tuple[Thing, ...]:
        found = processor.post_process_object_detection(
            outputs, threshold=self._threshold, target_sizes=[size]
        )[0]
        names = self._model._loaded[1].config.id2label
        height, width = size
        things = []
        for score, label, box in zip(found["scores"], found["labels"], found["boxes"], strict=True):
            x1, y1, x2, y2 = (float(v) for v in box)
            if not np.isfinite([x1, y1, x2, y2, float(score)]).all():
                raise CutoutFailed("the detector gave values that are not numbers")
            left, right = (min(max(v / width, 0.0), 1.0) * 100 for v in (x1, x2))
            top, bottom = (min(max(v / height, 0.0), 1.0) * 100 for v in (y1, y2))
            placed = (round(left, 2), round(top, 2), round(right - left, 2), round(bottom - top, 2))
            things.append(Thing(names[int(label)], round(float(score), 4), placed))
        return tuple(sorted(things, key=lambda thing: -thing.score)[:MOST_THINGS])
