"""One engine for all registered models: any diffusers pipeline that families.py describes.

CONFIG names a model of the registry; its weights were brought here by `byline models pull`, and
nothing is ever fetched at run time. Pipelines of one family share their parts, so one set of weights
serves text-to-video, image-to-video and whatever else the entry lists.
"""

from __future__ import annotations

import gc
import inspect
import math
import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from importlib.metadata import version
from typing import Any

import numpy as np

from byline.audit.base import heavy
from byline.audit.base.errors import InvalidInput
from byline.generation.engines import config as settings
from byline.generation.engines import (
    decoding,
    embeddings,
    families,
    loading,
    loras,
    options,
    pictures,
    pool,
    presets,
    previews,
    ramps,
    registry,
    watching,
    weights,
)
from byline.generation.engines.base import (
    EngineExample,
    EngineFailed,
    EngineInfo,
    Operation,
    Preview,
    VideoTask,
    never_cancelled,
    no_progress,
    operation_of,
    require_known,
)
from byline.generation.engines.families import Call
from byline.generation.engines.registry import STILLS, ModelEntry
from byline.generation.engines.weights import WeightsChanged

NAME = "DiffusionEngine"
MAX_STEPS, MAX_SIDE = 200, 4096  # bounds on what one task may cost
_BATCHED = frozenset({Operation.TEXT_TO_VIDEO, Operation.TEXT_TO_IMAGE})


@dataclass(frozen=True)
class DiffusionConfig(options.Options):
    """CONFIG of the engine. 0 and "" leave a value to the registry's entry or to the preset."""

    MODEL: str = ""  # id in the registry
    PRESET: str = ""  # the clip length of a known product, see `byline models presets`
    WIDTH: int = 0
    HEIGHT: int = 0
    FRAMES: int = 0
    STEPS: int = 0
    GUIDANCE: float = -1.0
    LORAS: tuple[Any, ...] = ()


class DiffusionEngine:
    """One model, loaded on first use and kept; one clip at a time."""

    def __init__(self, **given: Any) -> None:
        self.config = settings.read(DiffusionConfig, given, NAME)
        self.config.check(NAME)
        self.entry: ModelEntry = registry.entry(self.config.MODEL)
        self._loras = loras.read(self.config.LORAS, self.entry)
        self._check()
        self._lock = threading.Lock()
        self._pipelines: dict[Operation, Any] = {}
        self._record: dict[str, Any] = {}
        self._embeddings = embeddings.Count()

    def _check(self) -> None:
        c, e = self.config, self.entry
        settings.require(
            NAME,
            ((c.WIDTH == 0) == (c.HEIGHT == 0), "WIDTH and HEIGHT go together"),
            (not c.WIDTH or self._size_fits(c.WIDTH, c.HEIGHT), f"WIDTH and HEIGHT: {sizes(e)}"),
            (not c.FRAMES or e.frames.allows(c.FRAMES), f"FRAMES breaks the model's rule: {rule(e)}"),
            (0 <= c.STEPS <= MAX_STEPS, f"STEPS is 1 to {MAX_STEPS}"),
            (not (c.PRESET and c.FRAMES), "a PRESET sets the length; leave FRAMES out"),
        )
        if c.PRESET:
            presets.require_fit(presets.preset(c.PRESET), e)

    # ------------------------------------------------------------------ what it is

    @cached_property
    def info(self) -> EngineInfo:
        lock = weights.read_lock(self.entry)
        e, (width, height) = self.entry, self._size
        return EngineInfo(
            name=e.repository,
            version=lock.revision[:19],
            revision=lock.revision,
            licence=e.licence,
            width=width,
            height=height,
            frames=self._frames,
            fps=e.fps,
            text_encoder=weights.encoder_identity(e, lock),
            weights_sha256=lock.digest(),
            training_data=e.training_data,
            operations=e.operations,
            adapters=tuple(adapter for adapter, _ in self._loras if adapter.use == loras.ALWAYS),
            controls=tuple(sorted(_all_controls(e) | self._adapter_controls)),
            camera_moves=self._uses(lambda use: use not in (loras.ALWAYS, loras.ON_REQUEST)),
            loras=tuple(adapter.name for adapter, _ in self._loras if adapter.use == loras.ON_REQUEST),
        )

    @property
    def record(self) -> Mapping[str, Any]:
        return self._record

    @property
    def _size(self) -> tuple[int, int]:
        return (self.config.WIDTH, self.config.HEIGHT) if self.config.WIDTH else self.entry.sizes[0]

    @property
    def _frames(self) -> int:
        if self.config.PRESET:
            return self.entry.frames.at_least(presets.preset(self.config.PRESET).seconds * self.entry.fps)
        return self.config.FRAMES or self.entry.frames.default

    def _uses(self, which: Callable[[str], bool]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(adapter.use for adapter, _ in self._loras if which(adapter.use)))

    @property
    def _adapter_controls(self) -> set[str]:
        """Controls of a task that switch registered LoRA weights."""
        uses = {adapter.use for adapter, _ in self._loras} - {loras.ALWAYS}
        return {"loras" if use == loras.ON_REQUEST else "camera" for use in uses}

    def size_for(self, shape: float) -> tuple[int, int]:
        """The size (width, height) to make pictures of about this width over height in: the nearest of the
        fixed ones, or as many pixels as usual."""
        if self.entry.fixed_size:
            return min(self.entry.sizes, key=lambda size: abs(math.log(size[0] / size[1] / shape)))
        step, area = self.entry.size_multiple, self._size[0] * self._size[1]
        width, height = math.sqrt(area * shape), math.sqrt(area / shape)
        return max(1, round(width / step)) * step, max(1, round(height / step)) * step

    def self_check(self) -> None:
        weights.ready(self.entry)
        loras.verify(self._loras)

    def examples(self) -> tuple[EngineExample, ...]:
        """None: what these models draw is looked at with `byline models compare`."""
        return ()

    # ------------------------------------------------------------------ one clip

    def generate(
        self,
        task: VideoTask,
        progress: Callable[[float], None] = no_progress,
        check_cancelled: Callable[[], None] = never_cancelled,
    ) -> np.ndarray:
        return self.generate_many([task], progress, check_cancelled)[0]

    def stream(
        self,
        task: VideoTask,
        progress: Callable[[float], None] = no_progress,
        check_cancelled: Callable[[], None] = never_cancelled,
        preview: Preview | None = None,
    ) -> Iterator[np.ndarray]:
        self._arguments([task])  # what is wrong with the task is said before a thread begins

        def start(check_consumer: Callable[[], None]) -> Generator[np.ndarray, None, None]:
            def check() -> None:
                check_cancelled()
                check_consumer()

            with closing(self._pieces([task], progress, check, preview)) as pieces:
                for (piece,) in pieces:
                    yield piece

        return decoding.ahead(start)

    @property
    def batch(self) -> int:
        return self.config.BATCH

    def generate_many(
        self,
        tasks: Sequence[VideoTask],
        progress: Callable[[float], None] = no_progress,
        check_cancelled: Callable[[], None] = never_cancelled,
    ) -> list[np.ndarray]:
        pieces = list(self._pieces(tasks, progress, check_cancelled))
        return [np.concatenate([piece[number] for piece in pieces]) for number in range(len(tasks))]

    def _pieces(
        self,
        tasks: Sequence[VideoTask],
        progress: Callable[[float], None],
        check_cancelled: Callable[[], None],
        preview: Preview | None = None,
    ) -> Generator[list[np.ndarray], None, None]:
        """The frames of equal tasks as they are decoded, one array for each task."""
        operation, arguments = operation_of(tasks[0]), self._arguments(tasks)
        check_cancelled()
        darkest, lightest = 255, 0
        with (
            pool.shared.using(self),
            self._lock,
            closing(self._run(operation, arguments, tasks, progress, check_cancelled, preview)) as run,
        ):
            for piece in run:
                darkest = min(darkest, *(int(clip.min()) for clip in piece))
                lightest = max(lightest, *(int(clip.max()) for clip in piece))
                yield piece
                check_cancelled()
        if lightest == darkest:  # what half precision that overflowed looks like
            raise EngineFailed("the model gave an empty picture", help="Try another DTYPE or size.")
        progress(1.0)

    def _run(
        self,
        operation: Operation,
        arguments: dict[str, Any],
        tasks: Sequence[VideoTask],
        progress: Callable[[float], None],
        check_cancelled: Callable[[], None],
        preview: Preview | None,
    ) -> Generator[list[np.ndarray], None, None]:
        torch, pipeline, call = heavy.load("torch"), self._pipeline(operation), self._call(operation)
        steps = arguments["num_inference_steps"]
        if self.entry.family.guider:
            pipeline.guider = pipeline.guider.new(guidance_scale=self._guidance(tasks[0]))
        self._record |= {
            "operation": operation.value,
            "prompt_heeded": "prompt" in call.names,
            "batch": len(tasks),
            "steps": steps,
            **loading.tokens(pipeline, tasks[0].prompt if "prompt" in call.names else "", arguments),
        }
        generators = [torch.Generator("cpu").manual_seed(task.seed) for task in tasks]
        arguments = arguments | {"generator": generators if len(tasks) > 1 else generators[0]}
        in_pieces = decoding.in_pieces(pipeline, operation, self._record["offload"])
        seen = previews.Previews(pipeline, preview if in_pieces else None, torch)
        before = replace(self._embeddings)

        def told(fraction: float) -> None:
            self._record["prompt_embeddings"] = self._embeddings.since(before)
            progress(fraction)

        arguments |= watching.arguments(pipeline, steps, told, check_cancelled, seen.after_step)
        on = loras.wanted(self._loras, tasks[0].loras, tasks[0].camera)
        if self._adapter_controls:
            loras.switch(pipeline, self._loras, on)
            self._record["adapters"] = [asdict(one) for one in on if one.use != loras.ALWAYS]
        adapters = [f"{adapter.sha256} x {adapter.strength}" for adapter in on]
        identity = " ".join([self.info.weights_sha256, *adapters, str(self._record["dtype"])])
        embeddings.remember(pipeline, self.entry.family.encoders, identity, self._embeddings)
        try:
            with seen:
                made = pipeline(**arguments, output_type="latent" if in_pieces else "np")
            if in_pieces:
                yield from decoding.pieces(pipeline.vae, made.frames, torch)
            else:
                found = made.images if operation in STILLS else made.frames
                clips = np.asarray(found)[:, None] if operation in STILLS else found
                yield [decoding.to_bytes(clip) for clip in clips]
        except torch.cuda.OutOfMemoryError as error:
            torch.cuda.empty_cache()
            raise EngineFailed(
                f"{self.entry.id} ran out of GPU memory",
                help="Ask for a smaller size or fewer frames, or set OFFLOAD or VAE_TILING.",
            ) from error
        finally:  # a clip that was stopped leaves nothing in step caches and on the GPU for the next
            for loaded in self._pipelines.values():
                loaded.maybe_free_model_hooks()

    def _call(self, operation: Operation) -> Call:
        if operation not in self.entry.operations:
            raise InvalidInput(
                f"{self.entry.id} does not do {operation.value.replace('_', ' ')}",
                help=f"It does {', '.join(self.entry.operations)}; `byline models list` shows the others.",
            )
        return self.entry.family.calls[operation]

    def _arguments(self, tasks: Sequence[VideoTask]) -> dict[str, Any]:
        """The pipeline's arguments, checked. Raises InvalidInput; loads nothing."""
        operation = operation_of(tasks[0])
        call = self._call(operation)
        first, *others = (self._arguments_of(task, operation, call) for task in tasks)
        if not others:
            return first
        own = {call.names[name] for name in ("prompt", "negative_prompt") if name in call.names}
        unlike = any((task.loras, task.camera) != (tasks[0].loras, tasks[0].camera) for task in tasks)
        unlike = unlike or any(_equal(first, own) != _equal(other, own) for other in others)
        if operation not in _BATCHED or unlike:
            raise InvalidInput(
                "these tasks cannot go through the model together",
                help="They may differ in prompt, negative prompt and seed, and take words alone.",
            )
        several = {name: [each.get(name, "") for each in (first, *others)] for name in own}
        return first | {name: values for name, values in several.items() if any(values)}

    def _arguments_of(self, task: VideoTask, operation: Operation, call: Call) -> dict[str, Any]:
        e = self.entry
        known = families.controls(e.family, operation) - set(e.refuses) | self._adapter_controls
        require_known(task, known, e.id)
        loras.wanted(self._loras, task.loras, task.camera)
        if "prompt" in call.names and not task.prompt.strip():
            raise InvalidInput("the prompt is empty", help="Say what the clip should show.")
        width, height = task.width or self._size[0], task.height or self._size[1]
        clip = task.video if task.video is not None else task.pose
        frames = len(clip) if clip is not None else task.frames or self._frames
        steps = task.steps or self.config.STEPS or e.steps
        if not self._size_fits(width, height):
            raise InvalidInput(f"{width} x {height} cannot be made", help=f"Sizes: {sizes(e)}.")
        if not e.frames.allows(frames) or not 1 <= steps <= MAX_STEPS:
            raise InvalidInput(
                f"{frames} frames in {steps} steps cannot be made",
                help=f"Frames: {rule(e)}. Steps are 1 to {MAX_STEPS}.",
            )
        own = {
            "prompt": task.prompt,
            "width": width,
            "height": height,
            "frames": frames,
            "steps": steps,
            "guidance": ramps.scale(self._guidance(task), task.guidance_end if call.ramp else None),
            "fps": task.fps or e.fps,
        }
        own |= {
            name: getattr(task, name)
            for name in ("negative_prompt", "motion", "guidance_end", "strength")
            if getattr(task, name) not in (None, "")
        }
        own |= pictures.given(task, width, height, call)
        arguments = {
            argument: call.convert.get(name, _same)(own[name])
            for name, argument in call.names.items()
            if name in own
        }
        extra = call.with_negative if task.negative_prompt else {}
        takes = inspect.signature(_pipeline_class(call).__call__).parameters
        if e.max_tokens and "max_sequence_length" in takes:
            arguments["max_sequence_length"] = e.max_tokens
        return {**arguments, **call.fixed, **extra, **e.arguments}

    def _guidance(self, task: VideoTask) -> float:
        if task.guidance is not None:
            return task.guidance
        return self.config.GUIDANCE if self.config.GUIDANCE >= 0 else self.entry.guidance

    def _size_fits(self, width: int, height: int) -> bool:
        if self.entry.fixed_size:
            return (width, height) in self.entry.sizes
        step = self.entry.size_multiple
        return all(0 < side <= MAX_SIDE and side % step == 0 for side in (width, height))

    # ------------------------------------------------------------------ loading

    @property
    def place(self) -> str:
        return self.config.device(heavy.load("torch"))

    @property
    def needs_gib(self) -> float:
        """The registry's figure on a GPU; on a CPU the weights, twice where they are widened."""
        if self.place != "cpu":
            return self.entry.vram_gib
        wide = 2 if self.config.dtype(self.entry, "cpu") == "float32" != self.entry.dtype else 1
        return wide * weights.read_lock(self.entry).weight_bytes / 2**30

    @property
    def is_loaded(self) -> bool:
        return bool(self._pipelines)

    def load(self) -> None:
        with self._lock:
            self._pipeline(self.entry.operations[0])

    def unload(self) -> None:
        with self._lock:
            self._pipelines.clear()
            gc.collect()
            heavy.load("torch").cuda.empty_cache()  # nothing without a GPU

    def _pipeline(self, operation: Operation) -> Any:
        """The pipeline of one operation. The entry's first one is loaded; others share its parts."""
        first = self.entry.operations[0]
        if first not in self._pipelines:
            self._pipelines[first] = self._load(_pipeline_class(self._call(first)))
        if operation not in self._pipelines:
            kind = _pipeline_class(self._call(operation))
            self._pipelines[operation] = loading.sibling(self._pipelines[first], kind)
        return self._pipelines[operation]

    def _load(self, kind: Any) -> Any:
        self.self_check()
        if weights.read_lock(self.entry).digest() != self.info.weights_sha256:
            raise WeightsChanged(
                f"{self.entry.id} was pulled again while this process ran", help="Restart the worker."
            )
        torch, e = heavy.load("torch"), self.entry
        dtype = getattr(torch, self.config.dtype(e, self.config.device(torch)))
        pipeline = loading.pipeline(e, kind, dtype)
        loras.apply(pipeline, self._loras)
        lossy = [f"few steps by the LoRA {a.name}" for a, _ in self._loras if a.distilled]
        self._record = options.apply(pipeline, e, self.config, torch) | {
            "pipeline": kind.__name__,
            "libraries": {name: version(name) for name in ("torch", "diffusers", "transformers")},
        }
        self._record["lossy"] += lossy
        return pipeline


def _all_controls(entry: ModelEntry) -> set[str]:
    heeded = (families.controls(entry.family, operation) for operation in entry.operations)
    return set().union(*heeded) - set(entry.refuses)


def rule(entry: ModelEntry) -> str:
    """The frame rule in words."""
    f = entry.frames
    count = "any number" if f.step == 1 else f"{f.offset} + {f.step}k"
    return f"{count} from {f.least} to {f.most}"


def sizes(entry: ModelEntry) -> str:
    """The valid sizes in words."""
    native = ", ".join(f"{width} x {height}" for width, height in entry.sizes)
    return native if entry.fixed_size else f"multiples of {entry.size_multiple}; native are {native}"


def _equal(arguments: Mapping[str, Any], own: set[str]) -> dict[str, Any]:
    """What tasks of one batch have in common."""
    return {name: value for name, value in arguments.items() if name not in own}


def _same(value: Any) -> Any:
    return value


def _pipeline_class(call: Call) -> Any:
    return getattr(heavy.load("diffusers"), call.pipeline)
