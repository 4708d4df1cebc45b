"""The shots of a film: each made by its engine, or taken up from what is kept of the film.

Every shot has an audit entry of its own the moment it exists, whether it was made or kept, so that a
worker that dies afterwards leaves the record of what it made. What was kept is screened like what is new.
"""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from byline.audit.base import conf
from byline.generation import operations
from byline.generation.contracts import Artefact, Effect
from byline.generation.engines.base import VideoEngine
from byline.generation.films import kept, scenes

OPERATION = "text_to_video"
# Options that no frame depends on: a film with another voice or other music has the same shots.
_HEARD = frozenset(
    {
        "language",
        "voice",
        "rate",
        "pitch",
        "music",
        "music_maker",
        "effects",
        "loudness",
        "narration",
        "restore",
    }
)


def shoot(
    request: Any,
    artefact: Artefact,
    engine: VideoEngine,
    wordings: list[str],
    controls: Mapping[str, Any],
) -> list[np.ndarray]:
    """The shots of all scenes in their order, uint8 (T, h, w, 3) at the engine's rate. `controls` are those
    of the operation's brief. Raises what the engine raises; what was done by then is kept."""
    frames: list[np.ndarray] = []
    info, total = engine.info, len(wordings)
    configured = conf.get("VIDEO_ENGINES").get(request.options.get("engine", "default"), {})
    steering = {name: value for name, value in request.options.items() if name not in _HEARD}
    for number, (scene, text) in enumerate(zip(scenes.of(request), wordings, strict=True)):
        brief = operations.Brief(
            prompt=text,
            negative_prompt=artefact.produced["normalise"]["negative_prompt"],
            seed=scene.seed,
            seconds=info.frames / info.fps,  # the engine's own: composing gives a shot its time
            controls={**controls, "shots": 1},
        )
        key = kept.key_of(brief, info, configured, steering)
        artefact.check_cancelled()
        shot, source = kept.read(request.film_id, key), "kept"
        if shot is None:
            progress = _part(artefact, number, total)
            made = operations.make(
                OPERATION, engine, brief, operations.Inputs(), progress, artefact.check_cancelled
            )
            shot, source = made.shots[0], "made"
        _log(request, artefact, number + 1, source, key, shot, info)
        if source == "made":
            kept.write(request.film_id, key, shot)
        artefact.progress((number + 1) / total, f"shot {number + 1} of {total} {source}")
        frames.append(shot)
    return frames


def _part(artefact: Artefact, number: int, total: int) -> Callable[[float], None]:
    return lambda fraction: artefact.progress(
        (number + min(fraction, 1.0)) / total, f"shot {number + 1} of {total}"
    )


def _log(
    request: Any, artefact: Artefact, number: int, source: str, key: str, shot: np.ndarray, info: Any
) -> None:
    """The shot's audit entry, at once: the frames are named by a commitment, the task by its key's."""
    digest = hashlib.sha256(np.ascontiguousarray(shot).tobytes()).hexdigest()
    payload = {
        "film": str(request.film_id),
        "shot": number,
        "source": source,
        "frames": request.commit("frames", digest),
        "task": request.commit("task", key),
        "model": info.name,
        "model_version": info.version,
        "weights": info.weights_sha256 or info.revision,
    }
    entry = Effect("append", {"kind": "generation.shot", "payload": payload}, key=f"shot-{number}")
    artefact.settle((entry,))
