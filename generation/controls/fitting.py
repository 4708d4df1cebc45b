"""A request's controls against what the engine and the operation can do: who carries each one out.

`fit` settles it before anything is made and refuses what nobody can do; `Fitted.finish` does what is done to
finished frames and says so. What the model does itself is "model" in the record, never assumed: a camera
move by warp is recorded as a warp.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from byline.audit.base.errors import InvalidInput
from byline.generation.controls import brush, camera, fx, retiming, shots
from byline.generation.controls.registry import CONTROLS
from byline.generation.engines.base import (
    Batching,
    EngineExample,
    EngineInfo,
    VideoEngine,
    VideoTask,
    never_cancelled,
    no_progress,
)
from byline.generation.operations import OPERATIONS

LEAST = frozenset({"prompt", "negative_prompt", "seed", "frames", "guidance", "steps"})
_MODEL = ("steps", "guidance", "guidance_end", "strength")  # nobody but the model can
_OTHER_SHAPE = 1.05  # ratio of aspects from which on a size of its own is asked of the model


class NoSuchControl(InvalidInput):
    code = "no_such_control"
    help = "`byline controls` and GET /controls list what each engine and operation takes."


def heeded(info: EngineInfo) -> frozenset[str]:
    """Fields of VideoTask that the engine heeds; an engine that does not say gets the common ones."""
    return frozenset(info.controls) or LEAST


@dataclass(frozen=True)
class Fitted:
    """`engine` is the one to work with. `values` are for the operation's brief. `facts` say who carries out
    what, by control; `finish` completes them."""

    engine: VideoEngine
    values: Mapping[str, Any]
    facts: Mapping[str, Any]
    _frames: Mapping[str, Any] = field(default_factory=dict)

    def finish(
        self, made: list[np.ndarray], *, seed: int, mask: np.ndarray | None = None
    ) -> tuple[list[np.ndarray], dict[str, Any]]:
        """The shots (T, h, w, 3) with everything done that is done to frames, and the completed facts."""
        wanted, facts = self._frames, dict(self.facts)
        done = list(made)
        if "motion" in wanted:
            done = [retiming.retimed(shot, wanted["motion"]) for shot in done]
        if "brush" in wanted:
            if mask is None:
                raise InvalidInput("A motion brush needs its mask (inputs.brush).")
            done = [brush.moved(camera.enlarged(shot), mask, wanted["brush"]) for shot in done]
        if "camera" in wanted or "camera_path" in wanted:
            done, facts["camera"] = _filmed(done, wanted)
        if "fx" in wanted:
            done = [fx.laid(shot, wanted["fx"], seed + number) for number, shot in enumerate(done)]
        return done, facts


def fit(
    engine: VideoEngine,
    options: Mapping[str, Any],
    operation: str = "text_to_video",
    *,
    seconds: float = 0.0,
    negative_prompt: bool = False,
) -> Fitted:
    """Settle a request's validated `options`. NoSuchControl names the first that nobody can carry out;
    InvalidInput for two that contradict each other."""
    info, spec = engine.info, OPERATIONS[operation]
    known = heeded(info)
    given = {name: options[name] for name in CONTROLS if name in options}
    words = operation.replace("_", " ")
    own = {n for n in options if n == "shots" or (n in given and CONTROLS[n].where == "operation")}
    if idle := sorted(own - set(spec.controls)):
        raise NoSuchControl(f"{words} has no use for {', '.join(idle)}.")
    for name in _MODEL:
        if name in given and (name not in known or name not in spec.controls):
            raise NoSuchControl(f"{info.name if name not in known else words} has no control for {name}.")
    if "guidance_end" in given and "guidance" not in given:
        raise InvalidInput("guidance_end needs guidance, which it starts from.")
    if (negative_prompt or "style" in given) and "prompt" not in known:
        raise NoSuchControl(f"{info.name} heeds no words.")
    if negative_prompt and "negative_prompt" not in known:
        raise NoSuchControl(f"{info.name} has no control for a negative prompt.")
    if "camera" in given and "camera_path" in given:
        raise InvalidInput("Either a camera move or a camera_path.")
    fields, frames, facts = _carried_out(info, known, spec.controls, given)
    values = {n: v for n, v in options.items() if n in spec.controls and n not in frames and n not in fields}
    if "fps" in values and "fps" not in known:
        del values["fps"]
    limits: dict[str, float] = {
        name: given[name] for name in ("shot_min_seconds", "shot_max_seconds") if name in given
    }
    if limits:
        if "shots" not in spec.controls:
            raise NoSuchControl(f"{words} does not choose its shots.")
        values["shots"] = shots.count(seconds, options.get("shots"), limits, info)
        facts["shots"] = {"value": values["shots"], **limits}
    if size := _size(engine, known, options):
        fields |= {"width": size[0], "height": size[1]}
        facts["size"] = {"value": f"{size[0]}x{size[1]}", "by": "model"}
    elif "aspect" in given and "aspect" not in spec.controls:
        facts["size"] = {"value": given["aspect"], "by": f"cut from {info.width}x{info.height}"}
    steered: VideoEngine = Steered(engine, fields, values.get("fps")) if fields or "fps" in values else engine
    return Fitted(steered, values, facts, frames)


def _carried_out(
    info: EngineInfo, known: frozenset[str], operation: tuple[str, ...], given: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Further fields of the task, work on frames, and the facts about all of it."""
    fields: dict[str, Any] = {}
    frames: dict[str, Any] = {}
    facts: dict[str, Any] = {name: {"value": given[name], "by": "model"} for name in _MODEL if name in given}
    if "style" in given:
        facts["style"] = {"value": given["style"], "by": "model, in words"}
    if "fps" in given:
        by = "model and container" if "fps" in known and "fps" in operation else "container"
        facts["fps"] = {"value": given["fps"], "by": by}
    if "motion" in given:
        by_model = "motion" in known and "motion" in operation
        facts["motion"] = {"value": given["motion"], "by": "model" if by_model else "retimed frames"}
        if not by_model:
            frames["motion"] = given["motion"]
    if "loras" in given:
        if "loras" not in known or set(given["loras"]) - set(info.loras):
            names = ", ".join(info.loras) or "none"
            raise NoSuchControl(f"{info.name} has no such LoRA.", help=f"Registered for requests: {names}.")
        fields["loras"] = tuple(given["loras"])
        facts["loras"] = {"value": list(given["loras"]), "by": "model"}
    if "camera" in given:
        if given["camera"] in info.camera_moves:
            fields["camera"] = given["camera"]
            facts["camera"] = {"value": given["camera"], "by": "model"}
        else:
            frames["camera"] = given["camera"]
    if "camera_path" in given:
        frames["camera_path"] = given["camera_path"]
    if "brush" in given:
        frames["brush"] = given["brush"]
        facts["brush"] = {"value": dict(given["brush"]), "by": "cut-out moved over the filled ground"}
    if "fx" in given:
        frames["fx"] = given["fx"]
        facts["fx"] = {"value": given["fx"], "by": "frames", "sha256": fx.presets()[given["fx"]].sha256}
    return fields, frames, facts


def _filmed(made: list[np.ndarray], wanted: Mapping[str, Any]) -> tuple[list[np.ndarray], dict[str, Any]]:
    """The camera on finished frames: a move in every shot, or one path over all of them."""
    lengths = [len(shot) for shot in made]
    done, added = [], 0.0
    for number, shot in enumerate(made):
        if "camera" in wanted:
            poses = [camera.in_move(wanted["camera"], i / max(1, len(shot) - 1)) for i in range(len(shot))]
        else:
            before = sum(lengths[:number])
            poses = [
                camera.on_path(wanted["camera_path"], (before + i) / max(1, sum(lengths) - 1))
                for i in range(len(shot))
            ]
        large = camera.enlarged(shot)
        added = max(added, camera.widest(poses, large.shape[2], large.shape[1]))
        done.append(camera.filmed(large, poses))
    value = wanted.get("camera") or wanted["camera_path"]
    return done, {"value": value, "by": "warp of the decoded frames", "added_zoom": added}


def _size(engine: VideoEngine, known: frozenset[str], options: Mapping[str, Any]) -> tuple[int, int] | None:
    """The size to ask of a model that can make others than its own, where the file has another shape."""
    width, height = options.get("width"), options.get("height")
    choose: Callable[[float], tuple[int, int]] | None = getattr(engine, "size_for", None)
    if not (width and height and choose and {"width", "height"} <= known):
        return None
    shape, own = width / height, engine.info.width / engine.info.height
    if max(shape, own) / min(shape, own) < _OTHER_SHAPE:
        return None
    return choose(shape)


class Steered:
    """An engine with fields set in every task: what an operation need not know of."""

    def __init__(self, engine: VideoEngine, fields: Mapping[str, Any], fps: float | None) -> None:
        self._engine, self._fields = engine, dict(fields)
        own: dict[str, Any] = {name: fields[name] for name in ("width", "height") if name in fields}
        if fps:  # a model that is conditioned on a rate makes its frames for that rate
            own["fps"] = float(fps)
        self._info = replace(engine.info, **own)

    @property
    def info(self) -> EngineInfo:
        return self._info

    @property
    def record(self) -> Mapping[str, Any]:
        return self._engine.record

    def generate(
        self,
        task: VideoTask,
        progress: Callable[[float], None] = no_progress,
        check_cancelled: Callable[[], None] = never_cancelled,
    ) -> np.ndarray:
        return self._engine.generate(replace(task, **self._fields), progress, check_cancelled)

    @property
    def batch(self) -> int:
        return self._engine.batch if isinstance(self._engine, Batching) else 1

    def generate_many(
        self,
        tasks: Sequence[VideoTask],
        progress: Callable[[float], None] = no_progress,
        check_cancelled: Callable[[], None] = never_cancelled,
    ) -> list[np.ndarray]:
        if not isinstance(self._engine, Batching):
            raise TypeError(f"{self.info.name} makes no batches")
        led = [replace(task, **self._fields) for task in tasks]
        return self._engine.generate_many(led, progress, check_cancelled)

    def self_check(self) -> None:
        self._engine.self_check()

    def examples(self) -> tuple[EngineExample, ...]:
        return ()
