"""watermark: speech marked, frames composed, marked and encoded in one pass over the frames.

Frame by frame: composed (title, captions, label) -> marked -> encoded. There is never an unmarked
file on disk, and never a list of full-size frames in memory.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from byline.generation.contracts import Artefact, Outcome, Verdict
from byline.generation.publication import mark_id
from byline.generation.stages import sounding
from byline.generation.stages.stopwatch import Stopwatch


def watermark(request: Any, artefact: Artefact) -> Outcome:
    """Write the marked, labelled, captioned clip as the file `encoded`.

    `evidence["parts_s"]` tells the seconds of composing, marking and encoding apart: of these three only
    marking is there for responsibility's sake.
    """
    from byline.audit.base import keyring
    from byline.generation import brands, enhance, presentation
    from byline.generation.compose import compose
    from byline.generation.encode import write_clip
    from byline.provenance.marks import markers

    writer = markers.load("video", [keyring.read("watermark")])
    made = artefact.produced["engine"]
    brand, title = brands.load(request.brand), artefact.produced["normalise"]["title"]
    look = presentation.of(request.options, request.brand)
    memory = artefact.memory
    lengths = memory.get("lengths") or [scene["seconds"] for scene in request.scenes]
    fps = look.fps
    clock = Stopwatch()
    with clock.part("enhance"):
        better = enhance.apply(
            artefact.memory["shots"],
            look.steps,
            fps=made["fps"],
            brand=brand,
            upscaler=look.upscaler,
            engine=made["model"],
            check_cancelled=artefact.check_cancelled,
        )
    with clock.part("compose"):
        sound = sounding.make(request, artefact, look, clock)
        frames = compose(
            better.shots,
            made["fps"],
            brand=brand,
            title=title,
            captions=sound.cues,
            size=look.size,
            fps=fps,
            seconds=request.seconds,
            lengths=lengths,
            spans=memory.get("spans", ()),
            transition=look.transition,
            say=look.say,
            prepare=better.prepare,
            scale=better.scale,
        )
    composed = clock.pulled("compose", frames)
    marked = writer.embed(_watched(composed, round(request.seconds * fps), artefact), mark_id(request))
    bindings = [_binding(writer, mark_id(request), "picture")]
    spoken = artefact.memory["speech"] is not None
    if sound.mark is not None:
        bindings.append(_binding(sound.mark, request.audio_id, "speech" if spoken else "sound"))
    language = request.options.get("language", "en-us")
    path = artefact.workdir / f"encoded.{look.format}"
    with clock.part("encode"):
        pictures = clock.pulled("mark", marked)
        encoded = write_clip(
            path, pictures, fps, sound.samples, sound.rate, sound.cues, language,
            title=title, described=sound.described,
        )  # fmt: skip
    with clock.part("keep"):
        kept_for_renditions = _keep(request, artefact, lengths, look.transition, brand)
    return Outcome(
        Verdict.TRANSFORM,
        evidence={
            "picture": "marked",
            "speech": _told(sound, spoken),
            **sound.facts,
            "marks": [binding["alg"] for binding in bindings],
            "frames": encoded.frames,
            "size": f"{encoded.width}x{encoded.height}",
            "bytes": encoded.bytes,
            "captions": len(sound.cues),
            "enhanced": [dict(step) for step in better.steps],
            "labels": [notice.regime for notice in look.say],
            "transition": f"{look.transition.kind} {look.transition.seconds:g} s",
            "kept_for_renditions": kept_for_renditions,
            "parts_s": clock.seconds(),
        },
        produces={
            "audio_marked": sound.mark is not None,
            "music": sound.music,
            "effects": list(sound.effects),
            "bindings": bindings,
            "inputs": [asdict(item) for item in brands.inputs(brand)],
            "seconds": encoded.seconds,
            "fps": fps,
            "cues": [list(cue) for cue in sound.cues],
            "operations": [_operation(step) for step in better.steps if step.get("applied", True)]
            + sound.operations
            + made.get("edits", []),
            "models": sound.models,
        },
        files={"encoded": path},
    )


def _keep(request: Any, artefact: Artefact, lengths: list[float], transition: Any, brand: Any) -> bool:
    """Keep what a rendition of this clip would be made from; a rendition itself is made from its master's."""
    from byline.generation import compose
    from byline.generation.renditions import editing, kept

    if request.master_id is not None:
        return False
    shots, fps = artefact.memory["shots"], artefact.produced["engine"]["fps"]
    own = [len(shot) / fps for shot in shots]
    shown = compose.timeline(own, brand, request.seconds, lengths, transition)
    until = compose.pictures_until(request.seconds, brand)
    layout = editing.Layout(tuple(shown), until)
    return kept.keep(request.pk, shots, lengths, artefact.memory["speech"], layout)


def _binding(marker: Any, payload: int, where: str) -> dict[str, str]:
    """The fields of a manifest's SoftBinding for a mark that was written."""
    from byline.provenance.marks.algorithms import alg_of, value_of

    return {"alg": alg_of(marker).alg, "value": value_of(marker, payload), "where": where}


_ACTIONS = {"colour": "c2pa.adjustedColor", "denoise": "c2pa.filtered", "sharpen": "c2pa.filtered"}


def _operation(step: Mapping[str, Any]) -> dict[str, str]:
    """The fields of a manifest's Operation for one step of enhancement."""
    return {
        "action": _ACTIONS.get(step["step"], "c2pa.enhanced"),
        "description": f"{step['step']}: {step['version']}",
        "source_type": "algorithmicallyEnhanced",
    }


def _told(sound: sounding.Sound, spoken: bool) -> str:
    if sound.mark is not None:
        return "marked"
    return "too short for a mark of its own" if spoken or sound.samples is not None else "none"


def _watched(frames: Iterable[np.ndarray], total: int, artefact: Artefact) -> Iterator[np.ndarray]:
    """The frames as they are, with progress and a look for a cancellation at each."""
    for number, frame in enumerate(frames, start=1):
        artefact.check_cancelled()
        yield frame
        artefact.progress(min(number / total, 1.0), f"frame {number} of {total}")
