"""What a video engine is: a Protocol and the plain values that go in and come out.

An engine turns one task into frames. It fetches nothing in its constructor, loads its weights
on first use, names exactly what it ran (`EngineInfo` and `record`, kept in the manifest and the
log), and gives the same frames for the same task on the same machine with the same versions. It
neither judges prompts nor marks frames: safety and provenance do.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable

import numpy as np

from byline.audit.base.errors import BylineError, InvalidInput


class Operation(StrEnum):
    """What a model can be asked for. One frame counts as a clip, so stills are operations too."""

    TEXT_TO_VIDEO = "text_to_video"
    IMAGE_TO_VIDEO = "image_to_video"  # first frame given, and the last one where the model takes it
    VIDEO_TO_VIDEO = "video_to_video"
    EDIT = "edit"  # a clip, a mask of what may change, and pictures of what should appear
    ANIMATE = "animate"  # a picture of a person, moved by a pose clip and a face clip
    TEXT_TO_IMAGE = "text_to_image"
    IMAGE_TO_IMAGE = "image_to_image"
    INPAINT = "inpaint"


class EngineFailed(BylineError):
    """The engine ran and gave nothing usable."""

    code = "engine_failed"
    status = 500
    help = "Try again; if it fails again, run `byline check` and look at the worker's log."


@dataclass(frozen=True)
class Adapter:
    """A LoRA on top of the model: weights of its own, so a name, a hash and a licence of its own.
    `distilled`: made so that few steps do, at some loss."""

    name: str
    sha256: str
    strength: float
    licence: str
    distilled: bool = False
    use: str = "always"  # see loras.py


@dataclass(frozen=True)
class EngineInfo:
    """What made the frames. `revision` is a commit or a digest, never a moving name; `drawn` says
    that people in the clips are pictograms by construction, so that faces need no consent.
    `text_encoder` holds name and digest; `training_data` is the maker's statement."""

    name: str
    version: str
    revision: str
    licence: str
    width: int
    height: int
    frames: int
    fps: float
    text_encoder: str
    drawn: bool = False
    weights_sha256: str = ""
    training_data: str = "undisclosed"
    operations: tuple[Operation, ...] = (Operation.TEXT_TO_VIDEO,)
    adapters: tuple[Adapter, ...] = ()
    controls: tuple[str, ...] = ()  # fields of VideoTask that at least one of its operations heeds
    camera_moves: tuple[str, ...] = ()  # those that the model makes by itself (controls/camera.py has all)
    loras: tuple[str, ...] = ()  # registered weights that a task may name


@dataclass(frozen=True)
class VideoTask:
    """One clip to make. None means the engine's own value, except that a given picture or clip
    chooses the operation (`operation_of`). Pictures are uint8 RGB (h, w, 3), clips (T, h, w, 3), masks
    uint8 (h, w) or (T, h, w) with 255 where things may change; all in the size of the result.
    """

    prompt: str
    negative_prompt: str = ""
    seed: int = 0
    frames: int | None = None  # the model's rule holds, e.g. 1 + 4k for Wan
    guidance: float | None = None
    steps: int | None = None
    width: int | None = None
    height: int | None = None
    fps: float | None = None  # for models that are conditioned on it
    motion: float | None = None  # 0 still to 1 lively
    guidance_end: float | None = None  # guidance of the last frame; linear in between
    strength: float | None = None  # 0 keeps the given picture or clip, 1 forgets it
    image: np.ndarray | None = None
    last_image: np.ndarray | None = None
    video: np.ndarray | None = None
    mask: np.ndarray | None = None
    references: tuple[np.ndarray, ...] = ()
    pose: np.ndarray | None = None
    face: np.ndarray | None = None
    camera: str = ""  # one of the engine's `camera_moves`
    loras: tuple[str, ...] = ()  # names of the engine's `loras`, beside those that are always on
    still: bool = False  # one picture instead of a clip


def given(task: VideoTask) -> frozenset[str]:
    """The names of the task's controls that differ from their defaults."""
    found = []
    for field in fields(task):
        value = getattr(task, field.name)
        if isinstance(value, np.ndarray) or (field.name == "prompt" or value != field.default):
            found.append(field.name)
    return frozenset(found)


def require_known(task: VideoTask, known: Collection[str], engine: str) -> None:
    """InvalidInput naming the controls that this engine does not have: nothing is ignored in silence."""
    if unknown := sorted(given(task) - set(known)):
        raise InvalidInput(
            f"{engine} has no control for {', '.join(unknown)}",
            help=f"It takes {', '.join(sorted(known))}. `byline models list` shows which models take more.",
        )


def operation_of(task: VideoTask) -> Operation:
    """The operation that the task's inputs ask for. Pure."""
    if task.pose is not None or task.face is not None:
        return Operation.ANIMATE
    if task.still:
        if task.mask is not None:
            return Operation.INPAINT
        return Operation.TEXT_TO_IMAGE if task.image is None else Operation.IMAGE_TO_IMAGE
    if task.mask is not None or task.references:
        return Operation.EDIT
    if task.video is not None:
        return Operation.VIDEO_TO_VIDEO
    if task.image is not None or task.last_image is not None:
        return Operation.IMAGE_TO_VIDEO
    return Operation.TEXT_TO_VIDEO


@dataclass(frozen=True)
class EngineExample:
    """A known answer: `says` in words what must hold, `holds` looks at the frames (T, h, w, 3)."""

    task: VideoTask
    says: str
    holds: Callable[[np.ndarray], bool]


def no_progress(fraction: float) -> None:
    """Where nobody watches."""


def never_cancelled() -> None:
    """Where nobody cancels."""


@runtime_checkable
class VideoEngine(Protocol):
    """The contract; tests/contract/test_engines.py holds every engine to it."""

    @property
    def info(self) -> EngineInfo: ...

    @property
    def record(self) -> Mapping[str, Any]:
        """How it ran, JSON-able: device, precision, options, and under "lossy" those that trade
        quality for speed or memory. Complete once `generate` has returned."""
        ...

    def generate(
        self,
        task: VideoTask,
        progress: Callable[[float], None] = no_progress,
        check_cancelled: Callable[[], None] = never_cancelled,
    ) -> np.ndarray:
        """uint8 RGB (T, h, w, 3). `progress` gets 0..1 after each step; `check_cancelled` is called
        at each step and stops the work by raising. Raises InvalidInput, MissingWeights, EngineFailed."""
        ...

    def self_check(self) -> None:
        """Raise ConfigurationError or MissingWeights if `generate` cannot work here. Loads no model."""
        ...

    def examples(self) -> tuple[EngineExample, ...]: ...


Preview = Callable[[np.ndarray, int, int], None]  # uint8 RGB (h, w, 3), steps done, steps in all


@runtime_checkable
class Streaming(Protocol):
    """An engine that hands over frames while later ones are still decoded."""

    def stream(
        self,
        task: VideoTask,
        progress: Callable[[float], None] = no_progress,
        check_cancelled: Callable[[], None] = never_cancelled,
        preview: Preview | None = None,
    ) -> Iterator[np.ndarray]:
        """The frames of `generate`, in pieces (t, h, w, 3), as they come. The device is free for the next
        task once the last piece is decoded, whether or not it was taken. `preview` gets at most a few
        pictures of what the clip is going to be, where the model can say; they are not final, and nobody
        has judged them."""
        ...


@runtime_checkable
class Batching(Protocol):
    """An engine that can make several equal tasks in one pass."""

    @property
    def batch(self) -> int:
        """How many at most; 1 where the installation wants none."""
        ...

    def generate_many(
        self,
        tasks: Sequence[VideoTask],
        progress: Callable[[float], None] = no_progress,
        check_cancelled: Callable[[], None] = never_cancelled,
    ) -> list[np.ndarray]:
        """One result for each task, as `generate` gives it up to rounding. Tasks may differ in prompt,
        negative prompt and seed; InvalidInput where they differ otherwise."""
        ...
